// Commands that an operator has configured for moments of a deploy: migrations and hooks.
//
// A command is started without a shell, in a process group of its own, which is killed whole at its
// time limit and on a request to stop; what it has left running at its end is killed too.
// Implementations: controller/host/hook_runner (programs), controller/ports/fake_world (tests).
// One thread, blocking, under the application's lock, so whatever hook runs without us is an
// orphan. Errors: kAborted when a request to stop ended it, else kGate (the step's row gives its
// own code), with the last lines of output as the tail.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "controller/ports/result.hpp"

namespace bluegreen {

struct HookRun {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=value; beside these it gets PATH, HOME and LANG
  std::chrono::milliseconds timeout{0};
  bool stoppable = true;                         // a request to stop ends it
  std::function<void(const std::string&)> line;  // each line of its output, as it comes
};

class HookPort {
 public:
  virtual ~HookPort() = default;

  virtual Result<void> run(const HookRun& hook) = 0;
  // Ends what a bgctl that was killed has left running; nothing to do is well.
  virtual Result<void> end_orphan() = 0;
};

}  // namespace bluegreen
