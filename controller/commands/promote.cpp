// bgctl promote: a deploy that waits at its gate (`deploy --pause-before flip`) goes on. Returns
// when the deploy has taken it; how it ends is told by the deploy's own command, or by the same
// `deploy` once more.
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"
#include "controller/commands/hand_over.hpp"
#include "controller/commands/target.hpp"
#include "controller/commands/who_asked.hpp"

namespace bluegreen {
namespace {

constexpr const char* kGateStep = "gate";

Error not_taken(const DeployInProgress& deploy, const std::string& what) {
  return {ExitCode::kPreflight,
          deploy.command + " " + deploy.to.deploy + " " + what,
          "`bgctl show " + deploy.to.deploy + "` says how it went",
          {}};
}

}  // namespace

int promote_command(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return context.fail(place.error());
  }
  SystemClock clock;
  const auto deploy = find_deploy(*place, clock);
  if (!deploy) {
    return context.fail(deploy.error());
  }
  const std::string step = step_of(*place, *deploy);
  if (step != kGateStep) {
    return context.fail(not_taken(
        *deploy, "does not wait to be promoted" + (step.empty() ? "" : ", it is at " + step)));
  }
  if (auto given = give_order(deploy->to, Order::kPromote, who_asked()); !given) {
    return context.fail(given.error());
  }
  const auto give_up = clock.now() + kSafeWithin;
  while (is_pending(deploy->to, Order::kPromote)) {
    const bool is_over = step_of(*place, *deploy) != kGateStep || !deploy_at_work(*place);
    if (is_over || clock.now() >= give_up || !clock.wait(std::chrono::milliseconds(10))) {
      // Not taken, and never will be: what it would have let through is decided.
      withdraw_order(deploy->to, Order::kPromote);
      return context.fail(not_taken(*deploy, "has not taken it: it no longer waits"));
    }
  }
  const auto now = place->control->read(place->app->name);
  if (!now) {
    return context.fail(now.error());
  }
  Verdict verdict = verdict_about("promote", place->app->name, *now);
  verdict.id = deploy->to.deploy;
  verdict.trace = deploy->folder;
  verdict.headline = deploy->command + " " + deploy->to.deploy + " is promoted and goes on";
  return context.finish(verdict);
}

}  // namespace bluegreen
