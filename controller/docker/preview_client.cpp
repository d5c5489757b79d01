// See preview_client.hpp.
#include "controller/docker/preview_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "controller/docker/http_client.hpp"
#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

using std::chrono::steady_clock;

// NGINX's module has the same bounds (ngx_module/core/secret.hpp): outside of them preview is off.
constexpr std::size_t kLeast = 32;
constexpr std::size_t kMost = 512;

bool can_be_sent(char c) {
  return c > ' ' && c < '\x7F' && std::string_view(";,\"\\").find(c) == std::string_view::npos;
}

void hide(std::string& text, const std::string& secret) {
  constexpr std::string_view kInstead = "[secret]";
  for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos;
       at += kInstead.size()) {
    text.replace(at, secret.size(), kInstead);
  }
}

}  // namespace

Result<std::string> read_preview_secret(const std::string& path) {
  const auto wrong = [&path](const std::string& what) {
    return fail(ExitCode::kPreflight, "the preview's secret file " + path + ": " + what,
                "it has to be the file that NGINX's bluegreen_preview names, with one line of 32 "
                "to 512 bytes");
  };
  const auto text = read_file(path);
  if (!text) {
    return wrong("it cannot be read: " + text.error());
  }
  if (!*text) {
    return wrong("there is no such file");
  }
  std::string secret = (*text)->substr(0, (*text)->find('\n'));
  if (!secret.empty() && secret.back() == '\r') {
    secret.pop_back();
  }
  if (secret.size() < kLeast || secret.size() > kMost) {
    return wrong(fmt::format("expected a secret of {} to {} bytes in its first line, found {}",
                             kLeast, kMost, secret.size()));
  }
  if (!std::all_of(secret.begin(), secret.end(), can_be_sent)) {
    return wrong("the secret has a character that a header or a cookie cannot carry");
  }
  return secret;
}

PreviewClient::PreviewClient(PreviewRoute route, std::function<bool()> stop_asked)
    : route_(std::move(route)), stop_asked_(std::move(stop_asked)) {}

Result<void> PreviewClient::ready() {
  const auto secret = read_preview_secret(route_.secret_file);
  if (!secret) {
    return tl::unexpected(secret.error());
  }
  const auto library = http_available();
  return library ? Result<void>{} : fail(ExitCode::kPreflight, library.error());
}

Result<SmokeAnswer> PreviewClient::ask(const SmokeRequest& request) {
  const auto secret = read_preview_secret(route_.secret_file);
  if (!secret) {
    return tl::unexpected(secret.error());
  }
  HttpRequest http;
  http.method = request.method;
  http.url = route_.url + request.path;
  for (const auto& [name, value] : request.headers) {
    http.headers.push_back(fmt::format("{}: {}", name, value));
  }
  if (!route_.host.empty()) {
    http.headers.push_back("Host: " + route_.host);
  }
  http.headers.push_back(route_.header + ": " + *secret);
  if (stop_asked_) {
    http.go_on = [this] { return !stop_asked_(); };
  }
  const auto begin = steady_clock::now();
  http.deadline = begin + request.within;
  auto response = http_request(http);
  SmokeAnswer answer;
  answer.took = std::chrono::ceil<std::chrono::milliseconds>(steady_clock::now() - begin);
  if (!response) {
    HttpError& error = response.error();
    if (error.kind == HttpError::Kind::kStopped) {
      return fail(ExitCode::kAborted, "stopped on request");
    }
    hide(error.text, *secret);
    return fail(ExitCode::kGate,
                error.kind == HttpError::Kind::kTimeout
                    ? fmt::format("expected the answer within {} ms, found none in that time",
                                  request.within.count())
                    : fmt::format("no answer from {}: {}", route_.url, error.text));
  }
  answer.status = response->status;
  answer.headers = std::move(response->headers);
  for (auto& [name, value] : answer.headers) {
    hide(value, *secret);
  }
  answer.body = std::move(response->body);
  hide(answer.body, *secret);
  return answer;
}

}  // namespace bluegreen
