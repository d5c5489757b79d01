// Both kinds of call share Transfer: an easy handle, its options and what has arrived.
#include "controller/docker/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "controller/docker/curl_library.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A body that is kept in memory is a status or an inspect; this is far beyond any of them.
constexpr std::size_t kBodyLimit = 32U << 20;

long milliseconds_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<long>(std::clamp<std::int64_t>(left, 0, 86'400'000));
}

HttpError::Kind kind_of(CURLcode code, bool stopped) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return HttpError::Kind::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpError::Kind::kTimeout;
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_WRITE_ERROR:
      return stopped ? HttpError::Kind::kStopped : HttpError::Kind::kBroken;
    default:
      return HttpError::Kind::kBroken;
  }
}

// One request in flight. Its address is what libcurl's callbacks get, so it never moves.
class Transfer {
 public:
  Transfer(const CurlLibrary& curl, const HttpRequest& request)
      : curl_(curl), request_(request), easy_(curl.easy_init()) {}
  ~Transfer() {
    curl_.slist_free_all(headers_);
    curl_.easy_cleanup(easy_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  bool prepare(bool whole_deadline) {
    if (easy_ == nullptr) {
      return false;
    }
    for (const std::string& header : request_.headers) {
      add_header(header.c_str());
    }
    add_header("Expect:");  // no 100-continue
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    set(CURLOPT_HTTPHEADER, headers_);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");  // an engine or an application on this host is behind no proxy
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    if (!request_.unix_socket.empty()) {
      set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
    }
    if (request_.method == "POST") {
      set(CURLOPT_POSTFIELDS, request_.body.c_str());
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request_.body.size()));
    } else if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    }
    if (whole_deadline) {
      // 0 means "no limit" to libcurl.
      set(CURLOPT_TIMEOUT_MS, std::max(1L, milliseconds_until(request_.deadline)));
    }
    if (request_.go_on) {
      set(CURLOPT_NOPROGRESS, 0L);
      set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_moment);
      set(CURLOPT_XFERINFODATA, this);
    }
    if (request_.stalled.count() > 0) {
      set(CURLOPT_LOW_SPEED_LIMIT, 1L);
      set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request_.stalled.count()));
    }
    return true;
  }

  CURL* handle() { return easy_; }
  CURLcode perform() { return curl_.easy_perform(easy_); }

  HttpError error(CURLcode code) const {
    const bool detailed = error_[0] != '\0';
    return {kind_of(code, stopped_),
            detailed ? std::string(error_.data()) : std::string(curl_.easy_strerror(code))};
  }

  HttpResponse response;
  bool headers_done = false;

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_.easy_setopt(easy_, option, value);
  }

  void add_header(const char* header) {
    if (curl_slist* longer = curl_.slist_append(headers_, header); longer != nullptr) {
      headers_ = longer;
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    static_cast<Transfer*>(self)->take_header({data, size});
    return size;
  }

  void take_header(std::string_view line) {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
      line.remove_suffix(1);
    }
    if (line.starts_with("HTTP/")) {
      response.headers.clear();
      curl_.easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &response.status);
      return;
    }
    if (line.empty()) {
      curl_.easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &response.status);
      headers_done = response.status >= 200;
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return;
    }
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    line.remove_prefix(colon + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    response.headers[name] = line;
  }

  static int on_moment(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->stopped_ = !transfer->request_.go_on();
    return transfer->stopped_ ? 1 : 0;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    return static_cast<Transfer*>(self)->take_body({data, size}) ? size : 0;
  }

  bool take_body(std::string_view data) {
    if (request_.on_body && response.status / 100 == 2) {
      stopped_ = !request_.on_body(data);
      return !stopped_;
    }
    response.body.append(data);
    return response.body.size() <= kBodyLimit;
  }

  const CurlLibrary& curl_;
  HttpRequest request_;  // a copy: a stream outlives its caller's
  CURL* easy_;
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_{};
  bool stopped_ = false;
};

tl::unexpected<HttpError> no_memory() {
  return tl::unexpected(HttpError{HttpError::Kind::kBroken, "out of memory"});
}

}  // namespace

tl::expected<HttpResponse, HttpError> http_request(const HttpRequest& request) {
  const auto curl = load_curl();
  if (!curl) {
    return tl::unexpected(HttpError{HttpError::Kind::kLibrary, curl.error()});
  }
  if (steady_clock::now() >= request.deadline) {
    return tl::unexpected(HttpError{HttpError::Kind::kTimeout, "its time was up at the start"});
  }
  Transfer transfer(**curl, request);
  if (!transfer.prepare(true)) {
    return no_memory();
  }
  if (const CURLcode code = transfer.perform(); code != CURLE_OK) {
    return tl::unexpected(transfer.error(code));
  }
  return std::move(transfer.response);
}

// The multi handle of a stream has this one transfer in it.
struct HttpStream::State {
  State(const CurlLibrary& library, const HttpRequest& request)
      : curl(library), transfer(library, request), multi(library.multi_init()) {}
  ~State() {
    if (multi != nullptr) {
      curl.multi_remove_handle(multi, transfer.handle());
      curl.multi_cleanup(multi);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Moves bytes until `enough` or `until`. An error when the transfer has ended.
  template <class Enough>
  tl::expected<void, HttpError> run(Enough enough, steady_clock::time_point until) {
    for (;;) {
      int running = 0;
      curl.multi_perform(multi, &running);
      if (enough()) {
        return {};
      }
      if (running == 0) {
        return tl::unexpected(ended());
      }
      const long left = milliseconds_until(until);
      if (left == 0) {
        return {};
      }
      curl.multi_poll(multi, nullptr, 0, static_cast<int>(left), nullptr);
    }
  }

  HttpError ended() {
    int queued = 0;
    const CURLMsg* message = curl.multi_info_read(multi, &queued);
    if (message != nullptr && message->msg == CURLMSG_DONE && message->data.result != CURLE_OK) {
      return transfer.error(message->data.result);
    }
    return {HttpError::Kind::kBroken, "the server ended the stream"};
  }

  const CurlLibrary& curl;
  Transfer transfer;
  CURLM* multi;
};

HttpStream::HttpStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpStream::HttpStream(HttpStream&&) noexcept = default;
HttpStream& HttpStream::operator=(HttpStream&&) noexcept = default;
HttpStream::~HttpStream() = default;

tl::expected<HttpStream, HttpError> HttpStream::open(const HttpRequest& request) {
  const auto curl = load_curl();
  if (!curl) {
    return tl::unexpected(HttpError{HttpError::Kind::kLibrary, curl.error()});
  }
  auto state = std::make_unique<State>(**curl, request);
  if (state->multi == nullptr || !state->transfer.prepare(false)) {
    return no_memory();
  }
  state->curl.multi_add_handle(state->multi, state->transfer.handle());
  Transfer& transfer = state->transfer;
  auto begun = state->run([&transfer] { return transfer.headers_done; }, request.deadline);
  if (!begun) {
    return tl::unexpected(begun.error());
  }
  if (!transfer.headers_done) {
    return tl::unexpected(HttpError{HttpError::Kind::kTimeout, "no answer in time"});
  }
  if (transfer.response.status / 100 != 2) {
    return tl::unexpected(
        HttpError{HttpError::Kind::kBroken, fmt::format("answered {}", transfer.response.status)});
  }
  return HttpStream(std::move(state));
}

tl::expected<std::string, HttpError> HttpStream::wait(steady_clock::time_point until) {
  std::string& body = state_->transfer.response.body;
  const auto moved = state_->run([&body] { return !body.empty(); }, until);
  if (!moved && body.empty()) {
    return tl::unexpected(moved.error());
  }
  return std::exchange(body, {});
}

tl::expected<void, std::string> http_available() {
  const auto curl = load_curl();
  if (!curl) {
    return tl::unexpected(curl.error());
  }
  return {};
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

}  // namespace bluegreen
