// See step_table.hpp.
#include "controller/deploy/step_table.hpp"

#include <algorithm>

#include "controller/deploy/contract.hpp"
#include "controller/deploy/steps/after_flip.hpp"
#include "controller/deploy/steps/before_flip.hpp"
#include "controller/deploy/steps/canary.hpp"
#include "controller/deploy/steps/contract.hpp"
#include "controller/deploy/steps/flip.hpp"
#include "controller/deploy/steps/gates.hpp"
#include "controller/deploy/steps/hooks.hpp"
#include "controller/deploy/steps/probed.hpp"

namespace bluegreen {

namespace {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;

Milliseconds quick(const AppConfig&) {
  return 10s;
}
Milliseconds minutes(const AppConfig&) {
  return 5min;
}
Milliseconds download(const AppConfig&) {
  return 30min;
}
Milliseconds healthy_within(const AppConfig& app) {
  return app.healthy_within;
}
Milliseconds soak(const AppConfig& app) {
  return app.soak;
}
Milliseconds canary_stages(const AppConfig& app) {
  Milliseconds all = 1min;  // each ends by itself
  for (const CanaryStage& stage : app.canary.stages) {
    all += stage.length;
  }
  return all;
}
// Ends by the pause's own limit, which is below.
Milliseconds pause(const AppConfig&) {
  return kLongestPause;
}
Milliseconds drain(const AppConfig& app) {
  return app.drain_timeout;
}
// "wait" goes on behind that time, but not for ever.
Milliseconds drain_of_old(const AppConfig& app) {
  return app.drain_then == AfterDrainTimeout::kWait ? std::max(app.drain_timeout, app.deploy_within)
                                                    : app.drain_timeout;
}

// One after another.
Milliseconds longest(const std::vector<HookConfig>& hooks) {
  Milliseconds sum = 0s;
  for (const HookConfig& hook : hooks) {
    sum += hook.timeout;
  }
  return sum;
}
Milliseconds migrate(const AppConfig& app) {
  return app.hooks.migrate ? app.hooks.migrate->timeout : 0s;
}
Milliseconds pre_flip(const AppConfig& app) {
  return longest(app.hooks.pre_flip);
}
Milliseconds post_flip(const AppConfig& app) {
  return longest(app.hooks.post_flip);
}
Milliseconds post_stop(const AppConfig& app) {
  return longest(app.hooks.post_stop);
}

Milliseconds contract(const AppConfig& app) {
  return app.hooks.contract ? app.hooks.contract->timeout : 0s;
}

const IdentifyStep kIdentifyStep;
const PreflightStep kPreflightStep;
const PullStep kPullStep;
const MigrateStep kMigrateStep;
const ClearStep kClearStep;
const StartStep kStartStep;
const HealthyStep kHealthyStep;
const PublishStep kPublishStep;
const ProbedStep kProbedStep;
const SmokeStep kSmokeStep;
const HooksStep kPreFlipStep("pre_flip", &HooksConfig::pre_flip);
const GateStep kGateStep;
const CanaryStep kCanaryStep;
const FlipStep kFlipStep;
const HooksStep kPostFlipStep("post_flip", &HooksConfig::post_flip);
const SoakStep kSoakStep;
const DrainStep kDrainStep;
const StopStep kStopStep;
const PostStopStep kPostStopStep;
const FinishStep kFinishStep;
const OldGoneStep kOldGoneStep;
const ContractStep kContractStep;

// clang-format off
const StepRow kTable[] = {
  // name        step             exit code                limit           on failure
  {"identify",  &kIdentifyStep,  ExitCode::kUsage,        quick,          OnFailure::kUndo},
  {"preflight", &kPreflightStep, ExitCode::kPreflight,    quick,          OnFailure::kUndo},
  {"pull",      &kPullStep,      ExitCode::kPull,         download,       OnFailure::kUndo},
  {"migrate",   &kMigrateStep,   ExitCode::kMigration,    migrate,        OnFailure::kUndo},
  {"clear",     &kClearStep,     ExitCode::kNotHealthy,   drain,          OnFailure::kUndo},
  {kStart,      &kStartStep,     ExitCode::kNotHealthy,   minutes,        OnFailure::kUndo},
  {"healthy",   &kHealthyStep,   ExitCode::kNotHealthy,   healthy_within, OnFailure::kUndo},
  {"publish",   &kPublishStep,   ExitCode::kUsage,        quick,          OnFailure::kUndo},
  {"probed",    &kProbedStep,    ExitCode::kNotHealthy,   healthy_within, OnFailure::kUndo},
  {"smoke",     &kSmokeStep,     ExitCode::kGate,         minutes,        OnFailure::kUndo},
  {"pre_flip",  &kPreFlipStep,   ExitCode::kGate,         pre_flip,       OnFailure::kUndo},
  {"gate",      &kGateStep,      ExitCode::kGate,         pause,          OnFailure::kUndo},
  {"canary",    &kCanaryStep,    ExitCode::kGate,         canary_stages,  OnFailure::kUndo},
  {kFlip,       &kFlipStep,      ExitCode::kUsage,        quick,          OnFailure::kUndo},
  {"post_flip", &kPostFlipStep,  ExitCode::kRolledBack,   post_flip,      OnFailure::kUndo},
  {"soak",      &kSoakStep,      ExitCode::kRolledBack,   soak,           OnFailure::kUndo},
  {"drain",     &kDrainStep,     ExitCode::kDrainForced,  drain_of_old,   OnFailure::kKeepGoing},
  {"stop",      &kStopStep,      ExitCode::kDrainForced,  minutes,        OnFailure::kKeepGoing},
  {"post_stop", &kPostStopStep,  ExitCode::kDrainForced,  post_stop,      OnFailure::kKeepGoing},
  {"finish",    &kFinishStep,    ExitCode::kDrainForced,  minutes,        OnFailure::kKeepGoing},
};

const StepRow kContractTable[] = {
  {"identify",  &kIdentifyStep,  ExitCode::kUsage,        quick,          OnFailure::kUndo},
  {"old_gone",  &kOldGoneStep,   ExitCode::kPreflight,    quick,          OnFailure::kUndo},
  {"contract",  &kContractStep,  ExitCode::kMigration,    contract,       OnFailure::kUndo},
};
// clang-format on

}  // namespace

std::span<const StepRow> table_of(const Plan& plan) {
  return plan.command == kContract ? std::span<const StepRow>(kContractTable)
                                   : std::span<const StepRow>(kTable);
}

}  // namespace bluegreen
