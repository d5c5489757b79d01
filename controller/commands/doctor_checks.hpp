// What `bgctl doctor` looks at. Each function adds checks to a list and changes nothing on the
// host; commands/doctor.cpp calls them and shows the list.
#pragma once

#include <string>
#include <vector>

#include "controller/commands/command.hpp"

namespace bluegreen {

enum class CheckState { kOk, kWarn, kFail };

struct Check {
  std::string name;
  CheckState state = CheckState::kOk;
  std::string found;
  std::string hint;  // what to do, where it is not ok
};

using Checks = std::vector<Check>;

void check_config(CommandContext& context, Checks& checks);
void check_control(const Target& target, const std::vector<std::string>& apps, Checks& checks);
void check_telemetry(const Target& target, Checks& checks);
void check_locks(const Target& target, Checks& checks);
void check_libcurl(Checks& checks);
void check_runtimes(CommandContext& context, Checks& checks);

}  // namespace bluegreen
