// The deploy, as a table: the steps in their order, each with the exit code that its failure ends
// the command with, its time limit, and what a failure does. Driver, recovery, events and traces
// read this table and nothing else. To add a step: a file in steps/, a row here.
//
// A limit is the deadline that the step hands to what it waits for.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "controller/config/config.hpp"
#include "controller/deploy/step.hpp"

namespace bluegreen {

enum class OnFailure : std::uint8_t {
  kUndo,       // take back, in reverse order, what was done: the old color serves
  kKeepGoing,  // the new color serves and is good: go on, end with 80 and the reason
};

struct StepRow {
  std::string_view name;
  const Step* step;
  ExitCode code;
  std::chrono::milliseconds (*limit)(const AppConfig&);
  OnFailure on_failure;
};

// What a plan's command goes through: the deploy's rows, or those of `bgctl contract`, which moves
// nothing.
std::span<const StepRow> table_of(const Plan& plan);

// The row whose step moves the traffic: before it a failure undoes, after it flips back.
inline constexpr std::string_view kFlip = "flip";
inline constexpr std::string_view kStart = "start";

}  // namespace bluegreen
