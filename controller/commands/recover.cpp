// bgctl recover: finish or undo deploys whose process has died. deploy and rollback do the same
// before they begin; this is for who does not want to wait for the next one, and for boot.
#include "controller/deploy/recover.hpp"
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_place.hpp"
#include "controller/commands/make_runtime.hpp"
#include "controller/commands/target.hpp"
#include "controller/deploy/moved_addresses.hpp"
#include "controller/host/hook_runner.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/host/trace.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {

int recover_command(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return context.fail(place.error());
  }
  auto runtime = make_runtime(*place->config, *place->app);
  if (!runtime) {
    return context.fail(runtime.error());
  }
  auto lock =
      HostLock::acquire(place->target.run_dir, place->lock_name(),
                        "application " + place->app->name, LockHolder{0, "recover", {}, {}});
  if (!lock) {
    return context.fail(lock.error());
  }
  const std::string& app = place->app->name;
  if (auto ended = end_left_hold(*lock, *place->control, app, context.events()); !ended) {
    return context.fail(ended.error());
  }
  SystemClock clock;
  TelemetryFile telemetry(place->target.telemetry);
  TraceFolders traces(place->config->trace_dir);
  HookRunner hooks(place->target.run_dir, place->lock_name(),
                   [&clock] { return clock.stop_requested(); });
  RecoveryWorld world{.control = *place->control,
                      .telemetry = telemetry,
                      .runtime = **runtime,
                      .clock = clock,
                      .hooks = hooks,
                      .traces = traces,
                      .events = context.events(),
                      .control_id = place->control->id()};
  auto verdicts = recover(world, *place->app);
  if (!verdicts) {
    return context.fail(verdicts.error());
  }
  auto moved = publish_moved_addresses(*place->control, **runtime, app);
  if (!moved) {
    return context.fail(moved.error());
  }
  if (*moved > 0) {
    context.events().emit(
        {clock.wall(),
         "recover",
         StepState::kProgress,
         "published " + std::to_string(*moved) + " addresses anew: what serves was started again",
         {}});
  }
  if (verdicts->empty()) {
    return context.done(context.json() ? "{\"schema\":1,\"recovered\":[]}"
                                       : "nothing to recover: no deploy of " + place->app->name +
                                             " was interrupted");
  }
  // One at most can have moved something; the newest is the one that says what serves.
  Verdict verdict = verdicts->front();
  const bool settled = verdict.code != ExitCode::kRollbackFailed;
  verdict.command = "recover";
  verdict.reason = "it ended as " + std::to_string(static_cast<int>(verdict.code)) +
                   (verdict.reason.empty() ? "" : ": " + verdict.reason);
  verdict.code = settled ? ExitCode::kDone : ExitCode::kRollbackFailed;
  return context.finish(verdict);
}

}  // namespace bluegreen
