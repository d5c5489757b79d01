// What `bluegreen_hold` and `bluegreen_maintenance` say, parsed.
//
// A parser takes one parameter and returns nullptr, or what was expected, for the message. Called
// by the directives, in the master; the structs are read by workers on the request path. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "ngx_module/core/duration.hpp"
#include "ngx_module/core/parameter.hpp"

namespace bluegreen::core {

inline constexpr std::uint64_t kMaxHoldTimeoutMs = kDayMs;
inline constexpr std::uint32_t kMaxHeld = 1000000;
inline constexpr std::uint64_t kMaxRetryAfterS = 86400;

struct HoldSettings {
  std::uint64_t timeout_ms = 30000;  // a request waits no longer
  std::uint32_t max = 10000;         // no more wait at a time, all workers together
  std::uint32_t retry_after_s = 1;   // what those are told who may not wait
  std::uint8_t seen = 0;
};

struct MaintenanceSettings {
  std::string_view page;  // a file's name; empty: NGINX's own page
  std::string_view type = "text/html";
  std::uint32_t retry_after_s = 30;
  std::uint8_t seen = 0;
};

namespace detail {

inline bool parse_retry_after(std::string_view text, std::uint32_t& seconds) noexcept {
  std::uint64_t value = 0;
  if (!parse_duration(text, value) || value % 1000 != 0 || value == 0 ||
      value / 1000 > kMaxRetryAfterS) {
    return false;
  }
  seconds = static_cast<std::uint32_t>(value / 1000);
  return true;
}

inline bool is_mime_type(std::string_view text) noexcept {
  std::size_t slashes = 0;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) {
      return false;
    }
    slashes += c == '/' ? 1U : 0U;
  }
  return slashes == 1 && text.front() != '/' && text.back() != '/';
}

inline constexpr const char* kExpectedRetryAfter =
    "\"retry_after=TIME\" in whole seconds from 1s to 24h, once";

}  // namespace detail

inline const char* parse_hold(std::string_view text, HoldSettings& out) noexcept {
  if (take_name(text, "timeout")) {
    std::uint64_t ms = 0;
    if (!first_time(out.seen, 1) || !parse_duration(text, ms) || ms == 0 ||
        ms > kMaxHoldTimeoutMs) {
      return "\"timeout=TIME\" from 1ms to 24h, once";
    }
    out.timeout_ms = ms;
    return nullptr;
  }
  if (take_name(text, "max")) {
    return first_time(out.seen, 2) && parse_count(text, kMaxHeld, out.max)
               ? nullptr
               : "\"max=N\" with N from 0 to 1000000, once";
  }
  if (take_name(text, "retry_after")) {
    return first_time(out.seen, 4) && detail::parse_retry_after(text, out.retry_after_s)
               ? nullptr
               : detail::kExpectedRetryAfter;
  }
  return "\"timeout=TIME\", \"max=N\" or \"retry_after=TIME\"";
}

inline const char* parse_maintenance(std::string_view text, MaintenanceSettings& out) noexcept {
  if (take_name(text, "page")) {
    if (text.empty() || !first_time(out.seen, 1)) {
      return "\"page=FILE\" once";
    }
    out.page = text;
    return nullptr;
  }
  if (take_name(text, "type")) {
    if (!first_time(out.seen, 2) || !detail::is_mime_type(text)) {
      return "\"type=MIME\", as \"text/html\", once";
    }
    out.type = text;
    return nullptr;
  }
  if (take_name(text, "retry_after")) {
    return first_time(out.seen, 4) && detail::parse_retry_after(text, out.retry_after_s)
               ? nullptr
               : detail::kExpectedRetryAfter;
  }
  return "\"page=FILE\", \"type=MIME\" or \"retry_after=TIME\"";
}

}  // namespace bluegreen::core
