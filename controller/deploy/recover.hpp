// Finishing or undoing deploys whose process has died: every one of the application that has a
// journal and no verdict, and the last one when its verdict is that not all could be undone. What
// to do is decided by the world, not by the journal: when the control region says that the new
// color is active, and it runs, the deploy is finished; otherwise it is undone. The journal says
// which steps were begun, so what else is there is left alone.
//
// Called at the start of deploy and rollback and by `recover`, under the application's lock:
// whoever holds it knows that nobody else is at work. Idempotent: a recovery that dies is recovered
// too. Errors: the ports'; a deploy that cannot be recovered stays without a verdict.
#pragma once

#include <string>
#include <vector>

#include "controller/deploy/step.hpp"

namespace bluegreen {

// All of a World but the trace, which differs from deploy to deploy.
struct RecoveryWorld {
  ControlPort& control;
  TelemetryPort& telemetry;
  Runtime& runtime;
  Clock& clock;
  HookPort& hooks;
  TraceStore& traces;
  EventSink& events;
  std::uint64_t control_id;
};

// The verdicts that were written. A deploy with the id `own` that was undone gets none: it is
// about to be tried again.
Result<std::vector<Verdict>> recover(RecoveryWorld& world, const AppConfig& config,
                                     const std::string& own = {});

}  // namespace bluegreen
