// See webhook.hpp.
#include "controller/notify/webhook.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "controller/docker/http_client.hpp"
#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr milliseconds kStopNoticed{100};

std::string host_of(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

// A file's content without the newline that editors put at its end.
Result<std::string> secret_in(const std::string& path, const char* what) {
  const auto text = read_file(path);
  if (!text) {
    return fail(ExitCode::kUsage, text.error());
  }
  std::string secret = text->value_or("");
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) {
    secret.pop_back();
  }
  if (secret.empty()) {
    return fail(ExitCode::kUsage, path + ": expected " + what + ", found " +
                                      (*text ? "nothing in it" : "no such file"));
  }
  return secret;
}

Result<std::string> address_of(const NotifyConfig& target) {
  if (target.url_file.empty()) {
    return target.url;
  }
  auto url = secret_in(target.url_file, "an address");
  if (!url) {
    return url;
  }
  const bool is_web = url->starts_with("http://") || url->starts_with("https://");
  const bool is_line = std::all_of(url->begin(), url->end(), [](char c) { return c > ' '; });
  return is_web && is_line
             ? url
             : fail(ExitCode::kUsage,
                    target.url_file + ": expected one line that begins with http:// or https://");
}

bool may_be_tried_again(long status) {
  constexpr long kTransient[] = {408, 425, 429};
  return status >= 500 ||
         std::find(std::begin(kTransient), std::end(kTransient), status) != std::end(kTransient);
}

// False when it was asked to stop meanwhile.
bool pause(milliseconds length, const GoOn& go_on) {
  const auto until = steady_clock::now() + length;
  while (go_on()) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) {
      return true;
    }
    std::this_thread::sleep_for(std::min(left, kStopNoticed));
  }
  return false;
}

}  // namespace

Result<std::string> send_notice(const NotifyConfig& target, const Notice& notice, const GoOn& go_on,
                                milliseconds first_pause) {
  auto url = address_of(target);
  if (!url) {
    return url;
  }
  std::optional<std::string> secret;
  if (!target.secret_file.empty()) {
    auto read = secret_in(target.secret_file, "a secret");
    if (!read) {
      return read;  // sent without a signature it would only be refused
    }
    secret = std::move(*read);
  }
  HttpRequest request;
  request.method = "POST";
  request.url = *url;
  request.body = body_of(target.format, notice);
  request.go_on = go_on;
  const std::string host = host_of(*url);
  std::string trouble;
  milliseconds between = first_pause;
  for (int attempt = 1;; ++attempt, between *= 2) {
    request.headers = {"Content-Type: application/json", "User-Agent: bgctl/" BLUEGREEN_VERSION,
                       "X-Bluegreen-Event: " + event_of(notice.verdict),
                       "X-Bluegreen-Delivery: " + notice.verdict.id};
    if (secret) {
      const std::int64_t now =
          std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch())
              .count();
      request.headers.push_back("X-Bluegreen-Timestamp: " + std::to_string(now));
      request.headers.push_back("X-Bluegreen-Signature: " +
                                signature_of(*secret, now, request.body));
    }
    request.deadline = steady_clock::now() + kNotifyTimeout;
    const auto answer = http_request(request);
    if (answer && answer->status / 100 == 2) {
      return host + " answered " + std::to_string(answer->status) +
             (attempt == 1 ? "" : " at try " + std::to_string(attempt));
    }
    trouble = answer ? "answered " + std::to_string(answer->status)
                     : "could not be told: " + answer.error().text;
    if ((answer && !may_be_tried_again(answer->status)) || attempt == kNotifyTries ||
        !pause(between, go_on)) {
      return fail(ExitCode::kUsage, fmt::format("{} {} (tries: {})", host, trouble, attempt));
    }
  }
}

}  // namespace bluegreen
