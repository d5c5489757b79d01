// Text for people: what came from outside made harmless, times and durations made readable.
// Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace bluegreen {

// Control characters (C0, DEL, C1) as \xNN and bytes that are not UTF-8 likewise, so that no
// container, image name or region can move the cursor, color or retitle a terminal. `keep_lines`
// lets newlines and tabs through, for log tails.
std::string printable(std::string_view text, bool keep_lines = false);

// "2026-01-01T00:00:00Z", and with milliseconds.
std::string utc_time(std::chrono::system_clock::time_point at);
std::string utc_time_ms(std::chrono::system_clock::time_point at);
// Of a region's field: empty for 0.
std::string utc_time_of_ns(std::uint64_t unix_ns);

// "3ms", "1.2s", "4m10s".
std::string readable(std::chrono::milliseconds duration);

// "1 request", "12 requests".
std::string requests_text(std::uint64_t count);

}  // namespace bluegreen
