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
#include "ngx_module/core/parameter.hpp"

namespace bluegreen::core {

enum class Method : std::uint8_t { kRoundRobin, kLeastConn };

struct BalanceSettings {
  Method method = Method::kRoundRobin;
  HealthRules rules;
  bool said = false;      // the directive was there
  std::uint8_t seen = 0;  // and a bit for each of its parameters
};

inline constexpr std::uint32_t kMostFails = 1000000;
inline constexpr std::uint64_t kLongestTimeMs = kDayMs;

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

inline bool parse_day(std::string_view text, std::uint64_t least, std::uint64_t& out) noexcept {
  return parse_duration(text, out) && out >= least && out <= kLongestTimeMs;
}

}  // namespace detail

inline const char* parse_balance(std::string_view text, BalanceSettings& out) noexcept {
  constexpr const char* kTwice = "each parameter once";
  if (take_name(text, "max_fails")) {
    return !first_time(out.seen, 1) ? kTwice
           : parse_count(text, kMostFails, out.rules.max_fails)
               ? nullptr
               : "\"max_fails=N\" with N from 0 to 1000000";
  }
  if (take_name(text, "fail_timeout")) {
    return !first_time(out.seen, 2) ? kTwice
           : detail::parse_day(text, 1, out.rules.fail_timeout_ms)
               ? nullptr
               : "\"fail_timeout=TIME\" with TIME from 1ms to 1d";
  }
  if (take_name(text, "slow_start")) {
    return !first_time(out.seen, 4) ? kTwice
           : detail::parse_day(text, 0, out.rules.slow_start_ms)
               ? nullptr
               : "\"slow_start=TIME\" with TIME from 0 to 1d";
  }
  return "\"max_fails=N\", \"fail_timeout=TIME\" or \"slow_start=TIME\"";
}

}  // namespace bluegreen::core
