// What `bluegreen_balance` says, parsed: METHOD [max_fails=N] [fail_timeout=TIME]
// [slow_start=TIME].
//
// A parser takes one parameter and returns nullptr, or what was expected, for the message. Called
// by the directive, in the master; workers read the struct on the request path. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "ngx_module/core/duration.hpp"
#include "ngx_module/core/endpoint_health.hpp"

namespace bluegreen::core {

enum class Method : std::uint8_t { kRoundRobin, kLeastConn };

struct BalanceSettings {
  Method method = Method::kRoundRobin;
  HealthRules rules;
  bool said = false;      // the directive was there
  std::uint8_t seen = 0;  // and a bit for each of its parameters
};

inline constexpr std::uint32_t kMostFails = 1000000;
inline constexpr std::uint64_t kLongestTimeMs = 86400000;  // a day

inline const char* parse_method(std::string_view text, BalanceSettings& out) noexcept {
  if (text == "round_robin") {
    out.method = Method::kRoundRobin;
    return nullptr;
  }
  if (text == "least_conn") {
    out.method = Method::kLeastConn;
    return nullptr;
  }
  return "\"round_robin\" or \"least_conn\"";
}

namespace detail {

inline bool parse_fails(std::string_view text, std::uint32_t& out) noexcept {
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > kMostFails) {
      return false;
    }
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  out = value;
  return !text.empty() && value <= kMostFails;
}

inline bool parse_day(std::string_view text, std::uint64_t least, std::uint64_t& out) noexcept {
  return parse_duration(text, out) && out >= least && out <= kLongestTimeMs;
}

}  // namespace detail

inline const char* parse_balance(std::string_view text, BalanceSettings& out) noexcept {
  constexpr std::string_view kNames[] = {"max_fails=", "fail_timeout=", "slow_start="};
  for (std::uint8_t i = 0; i < 3; ++i) {
    if (text.substr(0, kNames[i].size()) != kNames[i]) {
      continue;
    }
    const auto bit = static_cast<std::uint8_t>(1U << i);
    if ((out.seen & bit) != 0) {
      return "each parameter once";
    }
    out.seen = static_cast<std::uint8_t>(out.seen | bit);
    const std::string_view value = text.substr(kNames[i].size());
    switch (i) {
      case 0:
        return detail::parse_fails(value, out.rules.max_fails)
                   ? nullptr
                   : "\"max_fails=N\" with N from 0 to 1000000";
      case 1:
        return detail::parse_day(value, 1, out.rules.fail_timeout_ms)
                   ? nullptr
                   : "\"fail_timeout=TIME\" with TIME from 1ms to 1d";
      default:
        return detail::parse_day(value, 0, out.rules.slow_start_ms)
                   ? nullptr
                   : "\"slow_start=TIME\" with TIME from 0 to 1d";
    }
  }
  return "\"max_fails=N\", \"fail_timeout=TIME\" or \"slow_start=TIME\"";
}

}  // namespace bluegreen::core
