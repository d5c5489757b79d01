// What a deploy would do, row by row of the step table, without doing anything: for `bgctl plan`.
//
// Asks each step itself (`applies`, `plan`), with the facts that steps would have found by then
// taken to be good, so that it says what happens when all goes well, and what a failure of each row
// leads to. Changes nothing, cannot fail.
#pragma once

#include <string>
#include <vector>

#include "controller/deploy/step_table.hpp"

namespace bluegreen {

struct PlannedStep {
  std::string name;
  std::string does;
  std::chrono::milliseconds limit{0};  // 0: it takes no time of its own
  ExitCode code = ExitCode::kDone;     // what the command ends with when this fails
  OnFailure on_failure = OnFailure::kUndo;
  std::string then;  // what a failure leads to, for people
};

// `deploy.facts` gets what the steps are told to have found.
std::vector<PlannedStep> planned_steps(Deploy& deploy);

}  // namespace bluegreen
