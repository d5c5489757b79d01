// One Docker Engine: where it is, which API version is spoken with it, and calls to it.
//
// The version is negotiated by /_ping at the first call: the lower of ours and the server's,
// refused with a clear text below what we need or what the server still takes. Made by
// EngineClient, one thread. An Engine that does not answer is kPreflight and says where it was
// looked for; an answer with any status is an answer.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/docker/http_client.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

// Compared number by number: 1.9 < 1.41.
struct ApiVersion {
  int major = 0;
  int minor = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes what it generates for ours
  auto operator<=>(const ApiVersion&) const = default;
};

std::optional<ApiVersion> parse_api_version(std::string_view text);

// The version to speak, or why there is none. `server_least` is empty when the server did not say.
Result<ApiVersion> choose_api_version(ApiVersion server, std::optional<ApiVersion> server_least);

struct EngineCall {
  std::string method = "GET";
  std::string path;  // behind the version: "/containers/json?all=1"
  std::vector<std::string> headers;
  std::chrono::milliseconds timeout{30'000};
  std::chrono::seconds stalled{0};
  std::function<bool(std::string_view)> on_body;
  std::function<bool()> go_on;  // see HttpRequest
};

class EngineConnection {
 public:
  // unix:///path or tcp://host:port, as DOCKER_HOST has it.
  explicit EngineConnection(std::string host) : host_(std::move(host)) {}

  Result<HttpResponse> call(const EngineCall& call);
  Result<HttpStream> stream(const EngineCall& call);
  [[nodiscard]] const std::string& host() const { return host_; }

 private:
  Result<HttpRequest> request_for(const EngineCall& call, bool versioned) const;
  Result<void> negotiate();
  Error unreachable(const HttpError& error) const;

  std::string host_;
  std::string version_;  // "/v1.41" once negotiated
};

// The Engine's own text in a failed answer: its `message`, or the status.
std::string message_of(const HttpResponse& response);

}  // namespace bluegreen
