// bgctl switch COLOR: the flip, one durable store. Works without configuration and without Docker;
// its whole process is meant to cost no more than /bin/true and 5 ms. When it returns, every worker
// that lives has seen the flip; where that cannot be had in 3 s, the verdict says so.
#include "controller/commands/command.hpp"
#include "controller/commands/target.hpp"
#include "controller/deploy/attach_wait.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/output/printable.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

// Whether something answers behind the color can be known only when somebody has published.
Result<void> something_serves(const shm::AppSnapshot& now, const std::string& app, Color color) {
  const shm::EndpointTable& table = now.tables[shm::index_of(color)];
  const shm::EndpointTable& other = now.tables[shm::index_of(shm::other(color))];
  if (table.count > 0 || (!shm::is_published(table) && other.count == 0)) {
    return {};
  }
  const std::string name(shm::name_of(color));
  return fail(ExitCode::kUsage,
              "application " + app + ": no endpoint of " + name + " is published, nothing would " +
                  "answer; " + std::string(shm::name_of(now.route.active)) + " goes on serving",
              "deploy to it first, or insist with --force");
}

Verdict verdict_of(const std::string& app, Color color, const shm::AppSnapshot& before,
                   std::uint64_t generation) {
  const shm::EndpointTable& table = before.tables[shm::index_of(color)];
  const bool was_active = before.route.active == color;
  Verdict verdict;
  verdict.command = "switch";
  verdict.app = app;
  verdict.active = shm::name_of(color);
  verdict.release = shm::text_of(table.release);
  verdict.image = shm::text_of(table.image);
  verdict.previous = shm::name_of(before.route.active);
  verdict.headline = app + ": " + verdict.active +
                     (was_active ? " serves already" : " serves now") + " (" +
                     describe_release(table) + ", generation " + std::to_string(generation) + ")";
  return verdict;
}

}  // namespace

int switch_command(CommandContext& context) {
  const auto color = parse_color(context.argument("COLOR"));
  if (!color) {
    return context.fail(color.error());
  }
  const auto held = hold_app(context, "switch");
  if (!held) {
    return context.fail(held.error());
  }
  const std::string& app = held->target.app;
  const auto before = held->control->read(app);
  if (!before) {
    return context.fail(before.error());
  }
  if (before->route.active != *color && !context.has_switch("--force")) {
    if (const auto serves = something_serves(*before, app, *color); !serves) {
      return context.fail(serves.error());
    }
  }
  const auto generation = held->control->activate(app, *color);
  if (!generation) {
    return context.fail(generation.error());
  }
  Verdict verdict = verdict_of(app, *color, *before, *generation);
  TelemetryFile telemetry(held->target.telemetry);
  SystemClock clock;
  if (const auto doubt = wait_attached(telemetry, clock, held->control->id()); !doubt.empty()) {
    verdict.headline += ", but " + doubt;
    verdict.hint = "see that NGINX's bluegreen_control is " + held->target.control +
                   " and that its folder, not the file, is mounted; `bgctl doctor` says more";
  }
  return context.finish(verdict);
}

}  // namespace bluegreen
