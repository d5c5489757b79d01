// In what form the status document is asked for: by name (`bluegreen_status FORMAT`, `?format=`),
// or by the Accept header.
//
// Called by the directive's parser, in the master, and by the status handler, in a worker. Pure;
// what is no format is false, and an Accept header that wants none of them gets JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ngx_module/core/duration.hpp"
#include "ngx_module/core/letters.hpp"
#include "ngx_module/core/parameter.hpp"

namespace bluegreen::core {

// kPrometheus is the text format 0.0.4 and kOpenMetrics 1.0.0: the same metrics. kHtml is the page,
// which asks for JSON itself.
enum class StatusFormat : std::uint8_t { kJson, kPrometheus, kOpenMetrics, kHtml };

inline bool parse_status_format(std::string_view name, StatusFormat& out) noexcept {
  if (name == "json") {
    out = StatusFormat::kJson;
  } else if (name == "prometheus") {
    out = StatusFormat::kPrometheus;
  } else if (name == "openmetrics") {
    out = StatusFormat::kOpenMetrics;
  } else if (name == "html") {
    out = StatusFormat::kHtml;
  } else {
    return false;
  }
  return true;
}

// The parameters of `bluegreen_status`.
struct StatusSettings {
  StatusFormat format = StatusFormat::kJson;
  std::uint64_t keep_ms = 1000;  // a document, before another one is made
  std::uint8_t seen = 0;         // bit 0: the format, bit 1: cache=
};

// nullptr, or what was expected instead.
inline const char* parse_status_parameter(std::string_view text, StatusSettings& out) noexcept {
  if (take_name(text, "cache")) {
    if (parse_duration(text, out.keep_ms) && out.keep_ms <= 60000 && first_time(out.seen, 2)) {
      return nullptr;
    }
    return "\"cache=TIME\" once, at most 1m";
  }
  if (parse_status_format(text, out.format) && first_time(out.seen, 1)) {
    return nullptr;
  }
  return "one of json, prometheus, openmetrics, html, or \"cache=TIME\"";
}

constexpr std::string_view content_type_of(StatusFormat format) noexcept {
  switch (format) {
    case StatusFormat::kPrometheus:
      return "text/plain; version=0.0.4; charset=utf-8";
    case StatusFormat::kOpenMetrics:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case StatusFormat::kHtml:
      return "text/html; charset=utf-8";
    case StatusFormat::kJson:
      break;
  }
  return "application/json";
}

namespace detail {

// The part before `separator`, without the spaces around it; `text` is what follows.
inline std::string_view take_part(std::string_view& text, char separator) noexcept {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return trimmed(part);
}

// "0.75" is 750. What is no such number counts as 0: nobody asked for it.
inline std::uint32_t thousandths(std::string_view text) noexcept {
  if (text.empty() || text[0] < '0' || text[0] > '1' || text.size() > 5 ||
      (text.size() > 1 && text[1] != '.')) {
    return 0;
  }
  std::uint32_t value = static_cast<std::uint32_t>(text[0] - '0') * 1000;
  std::uint32_t unit = 100;
  for (std::size_t i = 2; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return 0;
    }
    value += static_cast<std::uint32_t>(text[i] - '0') * unit;
    unit /= 10;
  }
  return value < 1000 ? value : 1000;
}

struct MediaRange {
  std::string_view type;
  std::string_view version;
  std::uint32_t quality = 1000;
};

inline MediaRange media_range(std::string_view text) noexcept {
  MediaRange range;
  range.type = take_part(text, ';');
  while (!text.empty()) {
    std::string_view value = take_part(text, ';');
    const std::string_view name = take_part(value, '=');
    if (same_word(name, "q")) {
      range.quality = thousandths(value);
    } else if (same_word(name, "version")) {
      range.version = value;
    }
  }
  return range;
}

inline bool format_of(const MediaRange& range, StatusFormat& out) noexcept {
  if (same_word(range.type, "application/openmetrics-text")) {
    out = StatusFormat::kOpenMetrics;
    return range.version.empty() || range.version == "1.0.0";
  }
  if (same_word(range.type, "text/plain")) {
    out = StatusFormat::kPrometheus;
    return range.version.empty() || range.version == "0.0.4";
  }
  if (same_word(range.type, "text/html")) {
    out = StatusFormat::kHtml;
    return true;
  }
  out = StatusFormat::kJson;
  return same_word(range.type, "application/json") || same_word(range.type, "application/*") ||
         range.type == "*/*";
}

}  // namespace detail

// The format that is wanted most; of two that are wanted alike, the one named first.
inline StatusFormat negotiate_status_format(std::string_view accept) noexcept {
  StatusFormat best = StatusFormat::kJson;
  std::uint32_t quality = 0;
  while (!accept.empty()) {
    const detail::MediaRange range = detail::media_range(detail::take_part(accept, ','));
    StatusFormat format{};
    if (range.quality > quality && detail::format_of(range, format)) {
      quality = range.quality;
      best = format;
    }
  }
  return best;
}

}  // namespace bluegreen::core
