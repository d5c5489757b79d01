// What deploy and rollback have in common: finding the deploy's trace, starting its process
// (run-deploy) or attaching to it, following it to its verdict.
//
// The foreground changes nothing but the trace folder and may be killed at any moment. Calling
// again with the same id attaches to the process while it runs and repeats its verdict afterwards;
// only a deploy that did nothing (10) or was interrupted (90) is tried again.
#pragma once

#include <chrono>
#include <string>

#include "controller/commands/command.hpp"

namespace bluegreen {

struct Wish {
  std::string command;            // deploy, rollback
  std::string image = {};         // empty for a rollback
  std::string pause_before = {};  // see DeployRequest
  std::chrono::milliseconds pause_for{0};
};

// The whole of the foreground; the exit code.
int run_in_foreground(CommandContext& context, const Wish& wish);

}  // namespace bluegreen
