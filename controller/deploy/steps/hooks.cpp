// See hooks.hpp.
#include "controller/deploy/steps/hooks.hpp"

#include "controller/deploy/contract.hpp"

namespace bluegreen {

namespace {

std::string line_of(const std::vector<std::string>& command) {
  std::string line;
  for (const std::string& word : command) {
    line += (line.empty() ? "" : " ") + word;
  }
  return line;
}

// The container's name says whose it is, and leads the recovery to it.
OneOff one_off_of(const Deploy& deploy, const MigrationConfig& migration, std::string_view step) {
  return {.name = "bgctl-" + deploy.plan.app + "-" + deploy.plan.id + "-" + std::string(step),
          .service = migration.service,
          .image = deploy.pinned().pinned,
          .environment = hook_environment(deploy, step),
          .timeout = migration.timeout,
          .line = [&deploy, step](const std::string& line) { deploy.note(step, line); }};
}

}  // namespace

std::vector<std::string> hook_environment(const Deploy& deploy, std::string_view step) {
  const Plan& plan = deploy.plan;
  // A contract deploys nothing: the color in question is the one that serves.
  const bool moves = plan.command != kContract;
  const Color fresh = moves ? plan.idle : plan.active();
  const Labels& old = moves ? plan.active_before : plan.idle_before;
  return {"BLUEGREEN_APP=" + plan.app,
          "BLUEGREEN_DEPLOY_ID=" + plan.id,
          "BLUEGREEN_COLOR=" + text(fresh),
          "BLUEGREEN_OLD_COLOR=" + text(shm::other(fresh)),
          "BLUEGREEN_IMAGE=" + deploy.pinned().pinned,
          "BLUEGREEN_RELEASE=" + plan.release,
          "BLUEGREEN_OLD_RELEASE=" + old.release,
          "BLUEGREEN_OLD_IMAGE=" + old.image,
          "BLUEGREEN_STEP=" + std::string(step),
          "BLUEGREEN_TRACE=" + deploy.world.trace.folder()};
}

std::string plan_of_migration(const MigrationConfig& migration, const std::string& image) {
  return migration.service.empty()
             ? "run " + line_of(migration.command)
             : "run the service " + migration.service + " once, from " + image;
}

Result<void> run_migration(Deploy& deploy, const MigrationConfig& migration,
                           std::string_view step) {
  if (!migration.service.empty()) {
    return deploy.world.runtime.run_once(one_off_of(deploy, migration, step));
  }
  return deploy.world.hooks.run(
      {.command = migration.command,
       .environment = hook_environment(deploy, step),
       .timeout = migration.timeout,
       .line = [&deploy, step](const std::string& line) { deploy.note(step, line); }});
}

Result<void> end_migration(Deploy& deploy, const MigrationConfig& migration,
                           std::string_view step) {
  if (!migration.service.empty()) {
    return deploy.world.runtime.remove_once(one_off_of(deploy, migration, step));
  }
  return deploy.world.hooks.end_orphan();
}

std::string MigrateStep::plan(const Deploy& deploy) const {
  const auto& migrate = deploy.config.hooks.migrate;
  return migrate ? plan_of_migration(*migrate, deploy.pinned().pinned)
                 : "run the migration, were one configured";
}

bool MigrateStep::applies(const Deploy& deploy) const {
  return deploy.config.hooks.migrate && deploy.plan.command == "deploy";
}

Result<void> MigrateStep::run(Deploy& deploy) const {
  return run_migration(deploy, *deploy.config.hooks.migrate, "migrate");
}

// The configuration may have changed since: then nobody knows what to look for.
Result<void> MigrateStep::undo(Deploy& deploy) const {
  return deploy.config.hooks.migrate
             ? end_migration(deploy, *deploy.config.hooks.migrate, "migrate")
             : Result<void>{};
}

const std::vector<HookConfig>& HooksStep::hooks_of(const Deploy& deploy) const {
  return deploy.config.hooks.*list_;
}

std::string HooksStep::plan(const Deploy& deploy) const {
  std::string all;
  for (const HookConfig& hook : hooks_of(deploy)) {
    all += (all.empty() ? "run " : ", then ") + line_of(hook.command);
  }
  return all.empty() ? "run the hooks of " + std::string(name_) + ", were there any" : all;
}

bool HooksStep::applies(const Deploy& deploy) const {
  return !hooks_of(deploy).empty();
}

Result<void> HooksStep::run(Deploy& deploy) const {
  return run_hooks({deploy.world.hooks, deploy.world.clock, deploy.world.events}, name_,
                   hooks_of(deploy), hook_environment(deploy, name_), true);
}

Result<void> HooksStep::undo(Deploy& deploy) const {
  return deploy.world.hooks.end_orphan();
}

bool PostStopStep::applies(const Deploy& deploy) const {
  return HooksStep::applies(deploy) && !deploy.leftover;
}

Result<void> run_hooks(const HookScene& scene, std::string_view step,
                       const std::vector<HookConfig>& hooks,
                       const std::vector<std::string>& environment, bool stoppable) {
  for (const HookConfig& hook : hooks) {
    auto ran = scene.hooks.run(
        {.command = hook.command,
         .environment = environment,
         .timeout = hook.timeout,
         .stoppable = stoppable,
         .line = [&scene, step](const std::string& line) {
           scene.events.emit(
               {scene.clock.wall(), std::string(step), StepState::kProgress, line, {}});
         }});
    if (!ran) {
      return ran;
    }
  }
  return {};
}

void run_on_failure(Deploy& deploy, const Verdict& verdict) {
  constexpr std::string_view kStep = "on_failure";
  if (verdict.code == ExitCode::kDone || verdict.code == ExitCode::kDrainForced) {
    return;
  }
  const HookScene scene{deploy.world.hooks, deploy.world.clock, deploy.world.events};
  std::vector<std::string> environment = hook_environment(deploy, kStep);
  environment.push_back("BLUEGREEN_REASON=" + verdict.reason);
  environment.push_back("BLUEGREEN_EXIT_CODE=" + std::to_string(static_cast<int>(verdict.code)));
  const auto tell = [&](StepState state, const std::string& what) {
    scene.events.emit({scene.clock.wall(), std::string(kStep), state, what, {}});
  };
  for (const HookConfig& hook : deploy.config.hooks.on_failure) {
    tell(StepState::kStarted, "run " + line_of(hook.command));
    auto ran = run_hooks(scene, kStep, {hook}, environment, false);
    tell(ran ? StepState::kDone : StepState::kFailed,
         ran ? "ran " + line_of(hook.command) : ran.error().what);
  }
}

}  // namespace bluegreen
