// See gates.hpp.
#include "controller/deploy/steps/gates.hpp"

#include <algorithm>

#include "controller/deploy/attach_wait.hpp"
#include "controller/deploy/smoke_check.hpp"
#include "controller/deploy/steps/flip.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {

namespace {

using std::chrono::milliseconds;

tl::unexpected<Error> stopped_at_gate(Deploy& deploy) {
  return fail(ExitCode::kAborted, deploy.world.clock.stop_reason());
}

// The answer of the idle color, or why there is none.
Result<SmokeAnswer> ask_idle(Deploy& deploy, const SmokeCheck& check) {
  constexpr milliseconds kBetweenTries{100};
  const Deadline give_up = deploy.world.clock.now() + kAttachWithin;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deploy.deadline - deploy.world.clock.now());
    const SmokeRequest request{check.method, check.path, check.headers,
                               std::min(check.within, left)};
    // In this order: a worker that attaches after the answer has not given it.
    const bool all_know = deploy.world.telemetry.attachment(deploy.world.control_id).complete();
    auto answer = deploy.world.smoke->ask(request);
    if (!answer) {
      return within(subject_of(check), answer.error());
    }
    const std::string wrong = why_not_from(deploy.plan.idle, *answer);
    if (wrong.empty()) {
      return answer;
    }
    if (all_know || deploy.world.clock.now() >= give_up) {
      return fail(ExitCode::kGate, subject_of(check) + ": " + wrong,
                  "NGINX's bluegreen_preview has to name the header " +
                      deploy.config.smoke->header + " and the secret of " +
                      deploy.config.smoke->secret_file);
    }
    if (!deploy.world.clock.wait(kBetweenTries)) {
      return stopped_at_gate(deploy);
    }
  }
}

}  // namespace

std::string SmokeStep::plan(const Deploy& deploy) const {
  const std::size_t count = deploy.config.smoke ? deploy.config.smoke->checks.size() : 0;
  return "send " + std::to_string(count) + (count == 1 ? " request" : " requests") + " to " +
         text(deploy.plan.idle) + " through the preview route";
}

bool SmokeStep::applies(const Deploy& deploy) const {
  return deploy.config.smoke && !deploy.plan.warm;
}

Result<void> SmokeStep::run(Deploy& deploy) const {
  if (deploy.world.smoke == nullptr) {
    return fail(ExitCode::kGate, "smoke checks are configured and cannot be sent here");
  }
  for (const SmokeCheck& check : deploy.config.smoke->checks) {
    if (deploy.world.clock.stop_requested()) {
      return stopped_at_gate(deploy);
    }
    const auto answer = ask_idle(deploy, check);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    const std::string wrong = why_not_well(check, *answer);
    if (!wrong.empty()) {
      return fail(ExitCode::kGate, subject_of(check) + ": " + wrong);
    }
    deploy.note("smoke", subject_of(check) + ": " + std::to_string(answer->status) + " in " +
                             std::to_string(answer->took.count()) + " ms");
  }
  return {};
}

std::string GateStep::plan(const Deploy& deploy) const {
  return "wait at most " + readable(deploy.plan.pause.at_most) +
         " for `bgctl promote`; `bgctl abort` takes the deploy back";
}

bool GateStep::applies(const Deploy& deploy) const {
  return !deploy.plan.pause.before.empty();
}

Result<void> GateStep::run(Deploy& deploy) const {
  constexpr milliseconds kGateRhythm{250};
  if (deploy.world.orders == nullptr) {
    return fail(ExitCode::kGate, "nobody could promote it here");
  }
  Clock& clock = deploy.world.clock;
  const Deadline end = std::min(deploy.deadline, clock.now() + deploy.plan.pause.at_most);
  while (!deploy.world.orders->take_promote()) {
    const std::string changed = what_has_changed(deploy);
    if (!changed.empty()) {
      return fail(ExitCode::kGate, "while it waited for `bgctl promote`, " + changed);
    }
    const auto left = std::chrono::duration_cast<milliseconds>(end - clock.now());
    if (left.count() <= 0) {
      return fail(
          ExitCode::kGate, "nobody promoted it within " + readable(deploy.plan.pause.at_most),
          "`bgctl promote` has to come while the deploy waits; --pause-for gives more time");
    }
    if (!clock.wait(std::min(left, kGateRhythm))) {
      return stopped_at_gate(deploy);
    }
  }
  return {};
}

}  // namespace bluegreen
