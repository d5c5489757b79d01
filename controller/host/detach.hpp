// Starting a process that outlives the command, its session and its process group.
//
// SSM ends a command with SIGKILL to the whole process group, so what must not be ended that way
// has to be elsewhere: in a transient unit where there is systemd, otherwise in a session of its
// own, child of init. It gets no descriptor but /dev/null and its log, and the environment of the
// caller. Called by the foreground of a deploy, which has one thread. Errors are kPreflight:
// nothing was started.
#pragma once

#include <string>
#include <vector>

#include "controller/ports/result.hpp"

namespace bluegreen {

struct DetachRequest {
  std::string program;                 // an absolute path
  std::vector<std::string> arguments;  // without the program's name
  std::string log;                     // stdout and stderr are appended to it
  std::string unit;                    // name of the transient unit
};

// systemd where it runs, else a session of its own.
Result<void> start_detached(const DetachRequest& request);

// The two ways, for tests.
Result<void> start_in_own_session(const DetachRequest& request);
std::vector<std::string> systemd_run_command(const DetachRequest& request,
                                             const std::vector<std::string>& environment);

// A word that is allowed in a unit's name.
std::string unit_word(const std::string& text);

// The path of the running program, also when its file has been replaced since.
std::string own_program();

}  // namespace bluegreen
