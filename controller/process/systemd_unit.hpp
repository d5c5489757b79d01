// The text of the systemd unit that keeps a color's program, and how an argument is quoted in it.
// Pure functions; called by the systemd supervisor.
#pragma once

#include <string>
#include <string_view>

#include "controller/process/supervisor.hpp"

namespace bluegreen {

// One word of ExecStart or Environment: quotes, backslashes, specifiers and variables are escaped.
std::string quoted_for_unit(std::string_view word, bool command);

std::string unit_text(const LaunchRequest& request);

}  // namespace bluegreen
