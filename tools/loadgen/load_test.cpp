// The load against a scripted server on loopback: what is a failure, what is only a reconnect.
//
// The server runs in a thread of the test and answers each connection by its script; the load runs
// in the test's thread until its script has been played, then for the rest of its short time.
#include "tools/loadgen/load.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

namespace {

using namespace bluegreen::loadgen;

const std::string kOk = "HTTP/1.1 200 OK\r\nX-Color: blue\r\nContent-Length: 2\r\n\r\nok";

// Serves one connection after the other: connection i gets script[i], the later ones the last. A
// script has one entry a request: bytes to send; an entry that ends with '!' closes behind it
// (bytes and end in one segment, so that the client sees both or none).
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::vector<std::string>> scripts)
      : scripts_(std::move(scripts)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  int port() const { return port_; }
  int accepted() const { return static_cast<int>(accepted_); }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      play(fd, scripts_[std::min(accepted_++, scripts_.size() - 1)]);
      ::close(fd);
    }
  }

  static bool read_request(int fd) {
    std::string got;
    char bytes[4096];
    while (got.find("\r\n\r\n") == std::string::npos || got.back() != 'x') {
      const ssize_t n = ::recv(fd, bytes, sizeof(bytes), 0);
      if (n <= 0) {
        return false;
      }
      got.append(bytes, static_cast<std::size_t>(n));
    }
    return true;
  }

  static void play(int fd, const std::vector<std::string>& script) {
    for (std::size_t i = 0; read_request(fd); ++i) {
      const std::string& entry = script[std::min(i, script.size() - 1)];
      const bool close = !entry.empty() && entry.back() == '!';
      const std::string bytes = entry.substr(0, entry.size() - (close ? 1 : 0));
      ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | (close ? MSG_MORE : 0));
      if (close) {
        return;
      }
    }
  }

  std::vector<std::vector<std::string>> scripts_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> accepted_{0};
  std::thread thread_;
};

Summary load(int port, double timeout = 5) {
  LoadOptions options;
  options.port = port;
  options.clients = 1;
  options.method = "POST";
  options.body = 512;
  options.seconds = 0.15;
  options.timeout = timeout;
  Summary summary;
  REQUIRE(run_load(options, summary).empty());
  return summary;
}

bool says(Summary& summary, const std::string& errors) {
  return summary.json().find("\"errors\":" + errors + ",") != std::string::npos;
}

}  // namespace

TEST_CASE("Load keeps its connection while the server does") {
  ScriptedServer server({{kOk}});
  Summary summary = load(server.port());
  CHECK(summary.requests() > 10);
  CHECK(summary.failed() == 0);
  CHECK(summary.reconnects() == 0);
  CHECK(server.accepted() == 1);
}

TEST_CASE("Load counts an announced close after a response as a reconnect") {
  ScriptedServer server(
      {{kOk, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok!"}, {kOk}});
  Summary summary = load(server.port());
  CHECK(summary.failed() == 0);
  CHECK(summary.reconnects() == 1);
}

TEST_CASE("Load counts an unannounced close after a response as a reconnect") {
  ScriptedServer server({{kOk, kOk + "!"}, {kOk + "!"}, {kOk}});
  Summary summary = load(server.port());
  CHECK(summary.failed() == 0);
  CHECK(summary.reconnects() == 2);
}

TEST_CASE("Load counts a body that ends with its connection as a reconnect") {
  ScriptedServer server({{"HTTP/1.1 200 OK\r\n\r\nall!"}, {kOk}});
  Summary summary = load(server.port());
  CHECK(summary.failed() == 0);
  CHECK(summary.reconnects() == 1);
}

TEST_CASE("Load counts a close with a request outstanding as a failure") {
  ScriptedServer server({{kOk, "!"}, {kOk}});
  Summary summary = load(server.port());
  CHECK(says(summary, R"({"closed":1})"));
  CHECK(summary.reconnects() == 1);
  CHECK(summary.requests() > 10);
}

TEST_CASE("Load counts a response cut in the middle as a failure") {
  ScriptedServer server({{kOk.substr(0, kOk.size() - 1) + "!"}, {kOk.substr(0, 9) + "!"}, {kOk}});
  Summary summary = load(server.port());
  CHECK(says(summary, R"({"truncated":2})"));
}

TEST_CASE("Load counts what is not 2xx, not HTTP, or too long as a failure") {
  ScriptedServer server(
      {{"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "SSH-2.0\r\n\r\n"},
       {kOk + "more"},
       {kOk}});
  Summary summary = load(server.port());
  CHECK(says(summary, R"({"malformed":2,"status":1})"));
}

TEST_CASE("Load counts a response that does not end in time as a failure") {
  ScriptedServer server({{kOk.substr(0, kOk.size() - 1)}, {kOk}});
  Summary summary = load(server.port(), 0.05);
  CHECK(summary.failed() >= 1);  // more on a machine that stalls
  CHECK(summary.json().find(R"("errors":{"timeout":)") != std::string::npos);
}

TEST_CASE("Load counts refused connections and goes on") {
  int port = 0;
  { port = ScriptedServer({{kOk}}).port(); }
  Summary summary = load(port);
  CHECK(summary.requests() > 1);
  CHECK(summary.requests() < 50);
  CHECK(summary.failed() == summary.requests());
}

TEST_CASE("request_bytes has a body and its length when asked for one") {
  LoadOptions options;
  options.host = "::1";
  options.port = 80;
  options.method = "POST";
  options.path = "/p";
  options.body = 3;
  options.headers = {"X-A: b"};
  CHECK(request_bytes(options) ==
        "POST /p HTTP/1.1\r\nHost: [::1]:80\r\nUser-Agent: loadgen\r\nX-A: b\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nxxx");
}
