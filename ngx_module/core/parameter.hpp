// The parts that directives' parameters are made of: NAME=VALUE, each name once, whole numbers.
//
// Called by the parsers of settings, in the master. Pure; what is no such part is false.
#pragma once

#include <cstdint>
#include <string_view>

namespace bluegreen::core {

inline constexpr std::uint64_t kDayMs = 86400000;

// Takes NAME= off the front.
inline bool take_name(std::string_view& text, std::string_view name) noexcept {
  if (text.size() <= name.size() || text.substr(0, name.size()) != name ||
      text[name.size()] != '=') {
    return false;
  }
  text.remove_prefix(name.size() + 1);
  return true;
}

// False when the parameter was there before.
inline bool first_time(std::uint8_t& seen, std::uint8_t bit) noexcept {
  const bool first = (seen & bit) == 0;
  seen = static_cast<std::uint8_t>(seen | bit);
  return first;
}

inline bool parse_count(std::string_view text, std::uint32_t limit, std::uint32_t& out) noexcept {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > limit) {
      return false;
    }
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (text.empty() || value > limit) {
    return false;
  }
  out = static_cast<std::uint32_t>(value);
  return true;
}

}  // namespace bluegreen::core
