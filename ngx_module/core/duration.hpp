// Times as NGINX writes them in its configuration: "30s", "1m 30s", "500ms", "45" (seconds).
//
// Units from the largest to the smallest, each at most once: y (365 days), M (30 days), w, d, h, m,
// s, ms; a last number without one is seconds. Called by the directives' parsers, in the master.
// Pure; false for what is no time or does not fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bluegreen::core {

namespace detail {

struct TimeUnit {
  std::string_view name;
  std::uint64_t ms;
};

// In the order in which they may follow each other.
inline constexpr TimeUnit kTimeUnits[] = {
    {"y", 365ULL * 86400000},
    {"M", 30ULL * 86400000},
    {"w", 7ULL * 86400000},
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};
inline constexpr std::size_t kTimeUnitCount = sizeof(kTimeUnits) / sizeof(kTimeUnits[0]);
inline constexpr std::size_t kSeconds = 6;

// A hundred years: sums of eight parts below it cannot overflow.
inline constexpr std::uint64_t kLongestMs = 100ULL * 365 * 86400000;

inline bool take_number(std::string_view& text, std::uint64_t& number) noexcept {
  std::size_t digits = 0;
  number = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    number = number * 10 + static_cast<std::uint64_t>(text[digits] - '0');
    if (number > kLongestMs) {
      return false;
    }
    ++digits;
  }
  text.remove_prefix(digits);
  return digits != 0;
}

// The unit's index; kTimeUnitCount when it is none.
inline std::size_t take_unit(std::string_view& text) noexcept {
  std::size_t letters = 0;
  while (letters < text.size() && (text[letters] < '0' || text[letters] > '9') &&
         text[letters] != ' ') {
    ++letters;
  }
  const std::string_view name = text.substr(0, letters);
  text.remove_prefix(letters);
  if (name.empty()) {
    return text.empty() ? kSeconds : kTimeUnitCount;
  }
  for (std::size_t i = 0; i < kTimeUnitCount; ++i) {
    if (kTimeUnits[i].name == name) {
      return i;
    }
  }
  return kTimeUnitCount;
}

}  // namespace detail

inline bool parse_duration(std::string_view text, std::uint64_t& milliseconds) noexcept {
  std::uint64_t sum = 0;
  std::size_t next = 0;
  do {
    std::uint64_t number = 0;
    if (!detail::take_number(text, number)) {
      return false;
    }
    const std::size_t unit = detail::take_unit(text);
    if (unit == detail::kTimeUnitCount || unit < next ||
        number > detail::kLongestMs / detail::kTimeUnits[unit].ms) {
      return false;
    }
    next = unit + 1;
    sum += number * detail::kTimeUnits[unit].ms;
    while (!text.empty() && text.front() == ' ') {
      text.remove_prefix(1);
    }
  } while (!text.empty());
  milliseconds = sum;
  return sum <= detail::kLongestMs;
}

}  // namespace bluegreen::core
