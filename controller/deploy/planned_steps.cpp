// See planned_steps.hpp.
#include "controller/deploy/planned_steps.hpp"

namespace bluegreen {

namespace {

std::string then_of(const PlannedStep& step, bool flipped, bool started, const Deploy& deploy) {
  const std::string code = std::to_string(static_cast<int>(step.code));
  if (step.on_failure == OnFailure::kKeepGoing) {
    return "goes on, ends with " + code;
  }
  const std::string old = text(deploy.plan.active());
  if (flipped) {
    return "back to " + old + ", ends with " + code;
  }
  return old + " serves" + (started ? ", " + text(deploy.plan.idle) + " is removed" : "") +
         ", ends with " + code;
}

}  // namespace

std::vector<PlannedStep> planned_steps(Deploy& deploy) {
  deploy.facts["drained"] = "exact";  // without it nothing would be stopped
  std::vector<PlannedStep> steps;
  bool flipped = false;
  bool started = false;
  for (const StepRow& row : table_of(deploy.plan)) {
    flipped = flipped || row.name == kFlip;
    if (!row.step->applies(deploy)) {
      continue;
    }
    started = started || row.name == kStart;
    PlannedStep step;
    step.name = row.name;
    step.does = row.step->plan(deploy);
    step.limit = row.limit(deploy.config);
    step.on_failure = row.on_failure;
    step.code = flipped && row.on_failure == OnFailure::kUndo ? ExitCode::kRolledBack : row.code;
    step.then = then_of(step, flipped, started, deploy);
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace bluegreen
