// bluegreen_probe's parameters: one table of names with a parser and the expected text for each.
// See probe_settings.hpp. Called in the master, while it reads the configuration.
#include "ngx_module/core/probe_settings.hpp"

#include "ngx_module/core/duration.hpp"
#include "ngx_module/core/letters.hpp"
#include "ngx_module/core/parameter.hpp"

namespace bluegreen::core {

namespace {

// Characters that end a line or a request's target would let a configuration say another request
// than the one that is read in it.
bool is_visible(std::string_view text) noexcept {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f) {
      return false;
    }
  }
  return !text.empty() && text.size() <= kLongestProbeText;
}

bool is_line(std::string_view text) noexcept {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < ' ' && c != '\t') || byte == 0x7f) {
      return false;
    }
  }
  return text.size() <= kLongestProbeText;
}

bool is_token(std::string_view text) noexcept {
  for (const char c : text) {
    const bool letter = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
    if (!letter && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

bool take_uri(std::string_view text, ProbeSettings& out) noexcept {
  out.uri = text;
  return is_visible(text) && text.front() == '/';
}

bool take_host(std::string_view text, ProbeSettings& out) noexcept {
  out.host = text;
  return is_visible(text) && text.size() <= 255 &&
         text.find_first_of("/@?#\"") == std::string_view::npos;
}

bool take_method(std::string_view text, ProbeSettings& out) noexcept {
  for (const ProbeMethod method :
       {ProbeMethod::kGet, ProbeMethod::kHead, ProbeMethod::kOptions, ProbeMethod::kPost}) {
    if (text == name_of(method)) {
      out.method = method;
      return true;
    }
  }
  return false;
}

// These are the prober's own: they frame the request, or say who it is.
bool is_own_header(std::string_view name) noexcept {
  for (const std::string_view own : {"host", "connection", "content-length", "transfer-encoding",
                                     "user-agent", "upgrade", "expect", "te", "trailer"}) {
    if (same_word(name, own)) {
      return true;
    }
  }
  return false;
}

bool take_header(std::string_view text, ProbeSettings& out) noexcept {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || out.header_count == kMostProbeHeaders || !is_line(text) ||
      !is_token(text.substr(0, colon)) || is_own_header(text.substr(0, colon))) {
    return false;
  }
  out.headers[out.header_count++] = text;
  return true;
}

bool take_time(std::string_view text, std::uint64_t& out) noexcept {
  return parse_duration(text, out) && out >= kShortestProbeMs && out <= kLongestProbeMs;
}

bool take_interval(std::string_view text, ProbeSettings& out) noexcept {
  return take_time(text, out.rules.interval_ms);
}

bool take_fast(std::string_view text, ProbeSettings& out) noexcept {
  return take_time(text, out.rules.fast_interval_ms);
}

bool take_timeout(std::string_view text, ProbeSettings& out) noexcept {
  return take_time(text, out.timeout_ms);
}

bool take_slow(std::string_view text, ProbeSettings& out) noexcept {
  return parse_duration(text, out.slow_ms) && out.slow_ms >= 1 && out.slow_ms <= kLongestProbeMs;
}

bool take_rise(std::string_view text, ProbeSettings& out) noexcept {
  return parse_count(text, kMostInRow, out.rules.rise) && out.rules.rise != 0;
}

bool take_fall(std::string_view text, ProbeSettings& out) noexcept {
  return parse_count(text, kMostInRow, out.rules.fall) && out.rules.fall != 0;
}

bool take_port(std::string_view text, ProbeSettings& out) noexcept {
  return parse_count(text, 65535, out.port) && out.port != 0;
}

bool take_range(std::string_view text, StatusRange& out) noexcept {
  const std::size_t dash = text.find('-');
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  if (!parse_count(text.substr(0, dash), 599, first)) {
    return false;
  }
  last = first;
  if (dash != std::string_view::npos && !parse_count(text.substr(dash + 1), 599, last)) {
    return false;
  }
  out = {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
  return first >= 100 && first <= last;
}

bool take_status(std::string_view text, ProbeSettings& out) noexcept {
  out.status_count = 0;
  for (;;) {
    const std::size_t comma = text.find(',');
    if (out.status_count == kMostStatusRanges ||
        !take_range(text.substr(0, comma), out.statuses[out.status_count])) {
      return false;
    }
    ++out.status_count;
    if (comma == std::string_view::npos) {
      return true;
    }
    text.remove_prefix(comma + 1);
  }
}

bool take_body(std::string_view text, ProbeSettings& out) noexcept {
  out.body_is_pattern = !text.empty() && text.front() == '~';
  out.body = out.body_is_pattern ? text.substr(1) : text;
  return !out.body.empty() && out.body.size() <= kLongestProbeText;
}

bool take_type(std::string_view text, ProbeSettings& out) noexcept {
  out.type = text == "tcp" ? ProbeType::kTcp : text == "grpc" ? ProbeType::kGrpc : ProbeType::kHttp;
  return text == "http" || text == "tcp" || text == "grpc";
}

bool take_service(std::string_view text, ProbeSettings& out) noexcept {
  out.service = text;
  return is_visible(text) && text.size() <= 255;
}

bool take_switch(std::string_view text, bool& out) noexcept {
  out = text == "on";
  return out || text == "off";
}

bool take_ssl(std::string_view text, ProbeSettings& out) noexcept {
  return take_switch(text, out.ssl);
}

bool take_ssl_name(std::string_view text, ProbeSettings& out) noexcept {
  out.ssl_name = text;
  return is_visible(text) && text.size() <= 255;
}

bool take_ssl_verify(std::string_view text, ProbeSettings& out) noexcept {
  out.ssl_verify = text == "off" ? std::string_view() : text;
  return !text.empty();
}

bool take_keepalive(std::string_view text, ProbeSettings& out) noexcept {
  return take_switch(text, out.keepalive);
}

bool take_all_down(std::string_view text, ProbeSettings& out) noexcept {
  out.refuse_when_all_down = text == "refuse";
  return out.refuse_when_all_down || text == "try";
}

enum Bit : std::uint32_t {
  kUri,
  kHost,
  kMethod,
  kHeader,
  kInterval,
  kFast,
  kTimeout,
  kRise,
  kFall,
  kStatus,
  kBody,
  kType,
  kService,
  kSsl,
  kSslName,
  kSslVerify,
  kPort,
  kKeepalive,
  kSlow,
  kAllDown,
};

struct Parameter {
  Bit bit;
  std::string_view name;
  bool (*take)(std::string_view text, ProbeSettings& out) noexcept;
  const char* expected;
};

constexpr Parameter kParameters[] = {
    {kUri, "uri", take_uri, "\"uri=PATH\" that starts with / and has no space"},
    {kHost, "host", take_host, "\"host=NAME\" or \"host=NAME:PORT\""},
    {kMethod, "method", take_method, "\"method=GET\", HEAD, OPTIONS or POST"},
    {kHeader, "header", take_header,
     "\"header=Name: value\", at most 8 and none that the prober sets itself (Host: use host=)"},
    {kInterval, "interval", take_interval, "\"interval=TIME\" with TIME from 10ms to 1h"},
    {kFast, "fast_interval", take_fast, "\"fast_interval=TIME\" with TIME from 10ms to 1h"},
    {kTimeout, "timeout", take_timeout, "\"timeout=TIME\" with TIME from 10ms to 1h"},
    {kRise, "rise", take_rise, "\"rise=N\" with N from 1 to 1000"},
    {kFall, "fall", take_fall, "\"fall=N\" with N from 1 to 1000"},
    {kStatus, "status", take_status,
     "\"status=\" with up to 8 codes or ranges from 100 to 599, like 200-399,404"},
    {kBody, "body", take_body, "\"body=TEXT\" or \"body=~PATTERN\" of at most 1024 bytes"},
    {kType, "type", take_type, "\"type=http\", \"type=tcp\" or \"type=grpc\""},
    {kService, "service", take_service, "\"service=NAME\" of at most 255 bytes"},
    {kSsl, "ssl", take_ssl, "\"ssl=on\" or \"ssl=off\""},
    {kSslName, "ssl_name", take_ssl_name, "\"ssl_name=NAME\" of at most 255 bytes"},
    {kSslVerify, "ssl_verify", take_ssl_verify, "\"ssl_verify=off\" or \"ssl_verify=FILE\""},
    {kPort, "port", take_port, "\"port=N\" with N from 1 to 65535"},
    {kKeepalive, "keepalive", take_keepalive, "\"keepalive=on\" or \"keepalive=off\""},
    {kSlow, "slow", take_slow, "\"slow=TIME\" with TIME from 1ms to 1h"},
    {kAllDown, "when_all_down", take_all_down, "\"when_all_down=try\" or \"when_all_down=refuse\""},
};

constexpr std::uint32_t mask(Bit bit) noexcept {
  return std::uint32_t{1} << bit;
}

constexpr std::uint32_t kOnlyHttp =
    mask(kUri) | mask(kMethod) | mask(kHeader) | mask(kStatus) | mask(kBody);

}  // namespace

const char* parse_probe(std::string_view text, ProbeSettings& out) noexcept {
  const std::size_t equals = text.find('=');
  for (const Parameter& parameter : kParameters) {
    if (equals == std::string_view::npos || text.substr(0, equals) != parameter.name) {
      continue;
    }
    if (parameter.bit != kHeader && (out.seen & mask(parameter.bit)) != 0) {
      return "each parameter but header once";
    }
    out.seen |= mask(parameter.bit);
    return parameter.take(text.substr(equals + 1), out) ? nullptr : parameter.expected;
  }
  return "\"uri=\", \"host=\", \"method=\", \"header=\", \"interval=\", \"fast_interval=\", "
         "\"timeout=\", \"rise=\", \"fall=\", \"status=\", \"body=\", \"type=\", \"service=\", "
         "\"ssl=\", \"ssl_name=\", \"ssl_verify=\", \"port=\", \"keepalive=\", \"slow=\" or "
         "\"when_all_down=\"";
}

const char* finish_probe(ProbeSettings& out) noexcept {
  const auto said = [&out](std::uint32_t bits) { return (out.seen & bits) != 0; };
  if (out.type != ProbeType::kHttp && said(kOnlyHttp)) {
    return "\"uri\", \"method\", \"header\", \"status\" and \"body\" only with \"type=http\"";
  }
  if (out.type != ProbeType::kGrpc && said(mask(kService))) {
    return "\"service\" only with \"type=grpc\"";
  }
  if (out.type != ProbeType::kHttp && said(mask(kKeepalive))) {
    return "\"keepalive\" only with \"type=http\"";
  }
  if (out.type == ProbeType::kTcp && !out.ssl && said(mask(kHost))) {
    return "\"host\" with \"type=tcp\" only beside \"ssl=on\"";
  }
  if (!out.ssl && said(mask(kSslName) | mask(kSslVerify))) {
    return "\"ssl_name\" and \"ssl_verify\" only with \"ssl=on\"";
  }
  if (!out.ssl_verify.empty() && tls_name(out).empty()) {
    return "\"ssl_name=NAME\" or a name as \"host\" beside \"ssl_verify\": what else should "
           "the certificate be for";
  }
  if (out.method == ProbeMethod::kHead && !out.body.empty()) {
    return "no \"body\" with \"method=HEAD\", whose answer has none";
  }
  if (out.slow_ms >= out.timeout_ms) {
    return "\"slow\" shorter than \"timeout\"";
  }
  if (out.rules.fast_interval_ms > out.rules.interval_ms) {
    if (said(mask(kFast))) {
      return "\"fast_interval\" not longer than \"interval\"";
    }
    out.rules.fast_interval_ms = out.rules.interval_ms;
  }
  return nullptr;
}

std::string_view tls_name(const ProbeSettings& settings) noexcept {
  if (!settings.ssl_name.empty()) {
    return settings.ssl_name;
  }
  const std::string_view name = settings.host.substr(0, settings.host.find(':'));
  const bool address =
      name.find_first_not_of("0123456789.") == std::string_view::npos || name.front() == '[';
  return address ? std::string_view() : name;
}

}  // namespace bluegreen::core
