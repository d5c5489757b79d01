// What `bluegreen_probe` says, parsed: its NAME=VALUE parameters.
//
// A parser takes one parameter and returns nullptr, or what was expected, for the message;
// finish_probe then looks at what does not go together. Views point into the text that was parsed:
// the caller keeps it. Called by the directive, in the master; the prober reads the struct. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ngx_module/core/rise_fall.hpp"

namespace bluegreen::core {

enum class ProbeType : std::uint8_t { kHttp, kTcp, kGrpc };
enum class ProbeMethod : std::uint8_t { kGet, kHead, kOptions, kPost };

struct StatusRange {
  std::uint16_t first;
  std::uint16_t last;
};

inline constexpr std::size_t kMostProbeHeaders = 8;
inline constexpr std::size_t kMostStatusRanges = 8;
inline constexpr std::size_t kLongestProbeText = 1024;  // of one parameter's value
inline constexpr std::uint32_t kMostInRow = 1000;
inline constexpr std::uint64_t kShortestProbeMs = 10;
inline constexpr std::uint64_t kLongestProbeMs = 3600000;

struct ProbeSettings {
  std::string_view uri = "/";
  std::string_view host;  // empty: the caller's choice
  std::string_view headers[kMostProbeHeaders];
  std::string_view body;        // empty: any
  std::string_view service;     // of type=grpc; empty: the whole server
  std::string_view ssl_name;    // empty: the host
  std::string_view ssl_verify;  // a file; empty: off
  RiseFallRules rules;
  std::uint64_t timeout_ms = 1000;
  std::uint64_t slow_ms = 0;  // 0: nothing is slow
  StatusRange statuses[kMostStatusRanges] = {{200, 399}};
  std::uint32_t seen = 0;  // a bit for each parameter that was there
  std::uint32_t port = 0;  // 0: the endpoint's own
  std::uint8_t status_count = 1;
  std::uint8_t header_count = 0;
  ProbeType type = ProbeType::kHttp;
  ProbeMethod method = ProbeMethod::kGet;
  bool body_is_pattern = false;
  bool ssl = false;
  bool keepalive = true;
  bool refuse_when_all_down = false;
};

// One parameter of the directive.
const char* parse_probe(std::string_view text, ProbeSettings& out) noexcept;

// After the last one: nullptr, or which parameters do not go together. A fast interval that was
// not said is cut down to the interval.
const char* finish_probe(ProbeSettings& out) noexcept;

// The name that TLS asks for and checks: without a port. Empty when there is none, and for a host
// that is an address.
std::string_view tls_name(const ProbeSettings& settings) noexcept;

inline bool status_fits(const ProbeSettings& settings, std::uint32_t status) noexcept {
  for (std::size_t i = 0; i < settings.status_count; ++i) {
    if (status >= settings.statuses[i].first && status <= settings.statuses[i].last) {
      return true;
    }
  }
  return false;
}

constexpr std::string_view name_of(ProbeMethod method) noexcept {
  switch (method) {
    case ProbeMethod::kHead:
      return "HEAD";
    case ProbeMethod::kOptions:
      return "OPTIONS";
    case ProbeMethod::kPost:
      return "POST";
    case ProbeMethod::kGet:
      break;
  }
  return "GET";
}

}  // namespace bluegreen::core
