// One HTTP request, or one endless response, over TCP or a unix socket.
//
// http_request blocks until the response has ended, its deadline has passed or `on_body` says stop.
// HttpStream is for a response without an end (Docker's events): `open` returns when the status
// line is here, `wait` when more of the body is. libcurl does the protocol and is loaded by the
// first call. Called by the Engine client and the health checks, one thread. A response with any
// status is a response; an error is a request that got none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace bluegreen {

struct HttpRequest {
  std::string method = "GET";
  std::string url;          // http://host[:port]/path?query
  std::string unix_socket;  // connect here and not to the URL's host; empty: TCP
  std::vector<std::string> headers;
  std::string body;
  std::chrono::steady_clock::time_point deadline;
  std::chrono::seconds stalled{0};  // give up when nothing arrives for so long; 0: never
  // Receives the body of a 2xx response instead of HttpResponse::body; false ends the request.
  std::function<bool(std::string_view)> on_body;
  // Asked at least once a second while the request is under way; false ends it.
  std::function<bool()> go_on = {};
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct HttpError {
  enum class Kind : std::uint8_t {
    kLibrary,  // no libcurl
    kConnect,  // nobody listens there
    kTimeout,  // deadline or stall
    kStopped,  // on_body said so
    kBroken,   // everything else: reset, protocol, out of memory
  };
  Kind kind = Kind::kBroken;
  std::string text;
};

tl::expected<HttpResponse, HttpError> http_request(const HttpRequest& request);

class HttpStream {
 public:
  // Fails unless the status is 2xx. `deadline` of the request counts for the opening alone.
  static tl::expected<HttpStream, HttpError> open(const HttpRequest& request);

  // The bytes that came since the last call, at least one; empty when `until` came first. An
  // error when the response has ended.
  tl::expected<std::string, HttpError> wait(std::chrono::steady_clock::time_point until);

  HttpStream(HttpStream&&) noexcept;
  HttpStream& operator=(HttpStream&&) noexcept;
  ~HttpStream();

 private:
  struct State;
  explicit HttpStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether libcurl can be had: for a preflight. The reason when not.
tl::expected<void, std::string> http_available();

// As in a URL's path or query: everything but letters, digits and -._~ as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace bluegreen
