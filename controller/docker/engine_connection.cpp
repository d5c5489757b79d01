// See the header.
#include "controller/docker/engine_connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr ApiVersion kOurs{1, 51};
constexpr ApiVersion kLeast{1, 40};  // Engine 19.03: health, events and labels as we use them
constexpr std::chrono::milliseconds kPingTakes{10'000};

std::string text_of(ApiVersion version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

}  // namespace

std::optional<ApiVersion> parse_api_version(std::string_view text) {
  ApiVersion out;
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, out.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') {
    return std::nullopt;
  }
  const auto minor = std::from_chars(major.ptr + 1, end, out.minor);
  if (minor.ec != std::errc() || minor.ptr != end) {
    return std::nullopt;
  }
  return out;
}

Result<ApiVersion> choose_api_version(ApiVersion server, std::optional<ApiVersion> server_least) {
  if (server < kLeast) {
    return fail(ExitCode::kPreflight,
                fmt::format("Docker Engine speaks API {}, bgctl needs {} or newer", text_of(server),
                            text_of(kLeast)),
                "upgrade Docker Engine");
  }
  if (server_least && kOurs < *server_least) {
    return fail(ExitCode::kPreflight,
                fmt::format("Docker Engine takes API {} and newer, bgctl speaks up to {}",
                            text_of(*server_least), text_of(kOurs)),
                "upgrade bgctl");
  }
  return std::min(server, kOurs);
}

std::string message_of(const HttpResponse& response) {
  const json document = json::parse(response.body, nullptr, false);
  if (document.is_object() && document.contains("message") && document["message"].is_string()) {
    return document["message"].get<std::string>();
  }
  return fmt::format("answered {}", response.status);
}

Error EngineConnection::unreachable(const HttpError& error) const {
  if (error.kind == HttpError::Kind::kLibrary) {
    return {ExitCode::kPreflight, error.text};
  }
  if (error.kind == HttpError::Kind::kConnect && host_.starts_with("unix://")) {
    // libcurl's own text speaks of a port; what is missing is a socket.
    return {
        ExitCode::kPreflight,
        fmt::format("Docker Engine does not run: nobody listens on its socket {}", host_.substr(7)),
        "start it (systemctl start docker); if it runs, set DOCKER_HOST or compose.docker_host "
        "to its socket"};
  }
  return {ExitCode::kPreflight,
          fmt::format("Docker Engine does not answer at {}: {}", host_, error.text),
          "see that it runs (systemctl status docker), or set DOCKER_HOST to where it does"};
}

Result<HttpRequest> EngineConnection::request_for(const EngineCall& call, bool versioned) const {
  HttpRequest request;
  request.method = call.method;
  request.headers = call.headers;
  request.deadline = steady_clock::now() + call.timeout;
  request.stalled = call.stalled;
  request.on_body = call.on_body;
  request.go_on = call.go_on;
  std::string authority = "docker";
  if (host_.starts_with("unix://")) {
    request.unix_socket = host_.substr(7);
  } else if (host_.starts_with("tcp://")) {
    authority = host_.substr(6);
  } else {
    return fail(ExitCode::kPreflight,
                fmt::format("Docker Engine's address is '{}', expected unix:///path or "
                            "tcp://host:port",
                            host_));
  }
  request.url = fmt::format("http://{}{}{}", authority, versioned ? version_ : "", call.path);
  return request;
}

Result<void> EngineConnection::negotiate() {
  if (!version_.empty()) {
    return {};
  }
  EngineCall ping;
  ping.path = "/_ping";
  ping.timeout = kPingTakes;
  const auto request = request_for(ping, false);
  if (!request) {
    return tl::unexpected(request.error());
  }
  const auto answer = http_request(*request);
  if (!answer) {
    return tl::unexpected(unreachable(answer.error()));
  }
  const auto header = answer->headers.find("api-version");
  const auto server =
      header == answer->headers.end() ? std::nullopt : parse_api_version(header->second);
  if (answer->status != 200 || !server) {
    return fail(ExitCode::kPreflight,
                fmt::format("what answers at {} is no Docker Engine: /_ping {}", host_,
                            answer->status == 200 ? "names no API version" : message_of(*answer)));
  }
  std::optional<ApiVersion> least;
  if (kOurs < *server) {  // only then may it refuse ours
    EngineCall version;
    version.path = "/version";
    const auto details = http_request(*request_for(version, false));
    const json document = details ? json::parse(details->body, nullptr, false) : json();
    if (document.is_object() && document.contains("MinAPIVersion") &&
        document["MinAPIVersion"].is_string()) {
      least = parse_api_version(document["MinAPIVersion"].get<std::string>());
    }
  }
  const auto chosen = choose_api_version(*server, least);
  if (!chosen) {
    return tl::unexpected(chosen.error());
  }
  version_ = "/v" + text_of(*chosen);
  return {};
}

Result<HttpResponse> EngineConnection::call(const EngineCall& call) {
  if (auto ready = negotiate(); !ready) {
    return tl::unexpected(ready.error());
  }
  const auto request = request_for(call, true);
  if (!request) {
    return tl::unexpected(request.error());
  }
  auto answer = http_request(*request);
  if (!answer) {
    return tl::unexpected(unreachable(answer.error()));
  }
  return std::move(*answer);
}

Result<HttpStream> EngineConnection::stream(const EngineCall& call) {
  if (auto ready = negotiate(); !ready) {
    return tl::unexpected(ready.error());
  }
  const auto request = request_for(call, true);
  if (!request) {
    return tl::unexpected(request.error());
  }
  auto stream = HttpStream::open(*request);
  if (!stream) {
    return tl::unexpected(unreachable(stream.error()));
  }
  return std::move(*stream);
}

}  // namespace bluegreen
