// The steps that run what the operator has configured: the migration before anything moves, and
// the hooks round the flip. See step.hpp for who calls them.
//
// Nothing of a hook can be taken back, so their undo only ends one that a killed bgctl has left
// running. After a crash a step is done again: migrations and hooks have to be repeatable.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

// The expand part of a schema change, with the new image here. Not for a rollback.
class MigrateStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
  Result<void> undo(Deploy& deploy) const override;
};

// One list of hooks, one after another; the first that fails ends the step.
class HooksStep : public Step {
 public:
  using List = std::vector<HookConfig> HooksConfig::*;
  constexpr HooksStep(std::string_view name, List list) : name_(name), list_(list) {}

  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
  Result<void> undo(Deploy& deploy) const override;

 protected:
  const std::vector<HookConfig>& hooks_of(const Deploy& deploy) const;

 private:
  std::string_view name_;
  List list_;
};

// Not yet when the old color stays up for keep_old: its process runs them when it has stopped it.
class PostStopStep : public HooksStep {
 public:
  constexpr PostStopStep() : HooksStep("post_stop", &HooksConfig::post_stop) {}
  bool applies(const Deploy& deploy) const override;
};

// A migration or a contract as the configuration has it: what it will run, running it, and ending
// what a killed bgctl has left of it.
std::string plan_of_migration(const MigrationConfig& migration, const std::string& image);
Result<void> run_migration(Deploy& deploy, const MigrationConfig& migration, std::string_view step);
Result<void> end_migration(Deploy& deploy, const MigrationConfig& migration, std::string_view step);

// What every hook of this deploy is told (docs/hooks.md).
std::vector<std::string> hook_environment(const Deploy& deploy, std::string_view step);

// The same for hooks of a deploy that has ended: its Deploy is gone, its environment was kept.
struct HookScene {
  HookPort& hooks;
  Clock& clock;
  EventSink& events;
};
Result<void> run_hooks(const HookScene& scene, std::string_view step,
                       const std::vector<HookConfig>& hooks,
                       const std::vector<std::string>& environment, bool stoppable);

// After the verdict of a deploy; nothing to do when it went well. Every one runs, whatever became
// of the one before; what they do changes nothing about the deploy.
void run_on_failure(Deploy& deploy, const Verdict& verdict);

}  // namespace bluegreen
