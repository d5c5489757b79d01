// Durations as people write them in the configuration and on the command line: a whole number and
// one unit, "500ms", "30s", "10m", "2h". Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace bluegreen {

// Empty for anything else, and for more than 365 days.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// The way back, in the longest unit that says it in a whole number: "2h", "90s".
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace bluegreen
