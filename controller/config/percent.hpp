// A color's share of the requests as people write it: percent with at most two decimals, "5",
// "0.5", "12.25%". The regions and all JSON have basis points, 0 to 10000. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bluegreen {

// Basis points; empty for anything that is not 0 to 100 with at most two decimals.
std::optional<std::uint32_t> parse_percent(std::string_view text);

// "5%", "0.5%", "12.25%".
std::string percent_text(std::uint32_t basis_points);

}  // namespace bluegreen
