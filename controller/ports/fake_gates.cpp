// The fake world's gates and hooks, see fake_world.hpp: commands that run at no cost, smoke checks
// that get what a test says, and an operator who promotes.
#include "controller/ports/fake_world.hpp"

namespace bluegreen {

Result<void> FakeWorld::run_once(const OneOff& one_off) {
  one_off_left = one_off.name;
  auto done = operation("once " + one_off.service + " " + one_off.image, [] {});
  one_off_left.reset();
  return done;
}

Result<void> FakeWorld::remove_once(const OneOff& one_off) {
  if (one_off_left == one_off.name) {
    one_off_left.reset();
  }
  return {};
}

Result<void> FakeWorld::ready() {
  return secret_trouble.empty() ? Result<void>{} : fail(ExitCode::kPreflight, secret_trouble);
}

Result<SmokeAnswer> FakeWorld::ask(const SmokeRequest& request) {
  auto asked = operation("ask " + request.method + " " + request.path, [] {});
  if (!asked) {
    return tl::unexpected(asked.error());
  }
  const std::string idle = std::string(shm::name_of(shm::other(region.route.active)));
  return smoke_says ? smoke_says(request)
                    : Result<SmokeAnswer>({200, {{"x-bluegreen-color", idle}}, "ok", {}});
}

bool FakeWorld::take_promote() {
  const bool now = promote_after_looks > 0 && --promote_after_looks == 0;
  if (after_order_look) {
    after_order_look();
  }
  return now;
}

Result<void> FakeWorld::run(const HookRun& hook) {
  return operation("hook " + hook.command.front(), [&] {
    hook_runs.push_back(hook);
    if (hook.line) {
      hook.line("output of " + hook.command.front());
    }
  });
}

Result<void> FakeWorld::end_orphan() {
  ++orphans_looked_for;
  return {};
}

}  // namespace bluegreen
