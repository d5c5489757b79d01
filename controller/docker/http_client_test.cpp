// HTTP against a peer in this process: a thread that listens on a unix socket and answers as told.
#include "controller/docker/http_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>

#include "controller/docker/curl_library.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Accepts one connection, reads a request's head, then runs `answer` on it.
class Peer {
 public:
  explicit Peer(std::function<void(int)> answer) {
    char name[] = "/tmp/http_client_test.XXXXXX";
    folder_ = ::mkdtemp(name);
    path = folder_ + "/socket";
    listener_ = shm::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const shm::UniqueFd connection(::accept(listener_.get(), nullptr, nullptr));
      char byte = 0;
      while (!request.ends_with("\r\n\r\n") && ::read(connection.get(), &byte, 1) == 1) {
        request.push_back(byte);
      }
      answer(connection.get());
    });
  }
  ~Peer() {
    thread_.join();
    ::unlink(path.c_str());
    ::rmdir(folder_.c_str());
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] HttpRequest get() const {
    HttpRequest out;
    out.url = "http://docker/path?a=1";
    out.unix_socket = path;
    out.deadline = steady_clock::now() + std::chrono::seconds(10);
    return out;
  }

  std::string path;
  std::string request;

 private:
  std::string folder_;
  shm::UniqueFd listener_;
  std::thread thread_;
};

void send_text(int fd, const std::string& text) {
  static_cast<void>(::send(fd, text.data(), text.size(), MSG_NOSIGNAL));
}

TEST_CASE("Answer of any status is an answer with its headers and body") {
  const Peer peer([](int fd) {
    send_text(fd, "HTTP/1.1 404 Not Found\r\nApi-Version: 1.41\r\nContent-Length: 4\r\n\r\nnone");
  });
  const auto answer = http_request(peer.get());
  REQUIRE(answer);
  CHECK(answer->status == 404);
  CHECK(answer->headers.at("api-version") == "1.41");
  CHECK(answer->body == "none");
  CHECK(peer.request.starts_with("GET /path?a=1 HTTP/1.1\r\n"));
}

TEST_CASE("Request past its deadline ends") {
  std::promise<void> enough;
  const Peer peer([&enough](int) { enough.get_future().wait(); });
  HttpRequest request = peer.get();
  request.deadline = steady_clock::now() + milliseconds(200);
  const auto answer = http_request(request);
  enough.set_value();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == HttpError::Kind::kTimeout);
}

TEST_CASE("Request whose answer does not come ends soon after it is told to stop") {
  const Peer peer([](int fd) {
    char byte = 0;
    static_cast<void>(!::read(fd, &byte, 1));  // until the client goes
  });
  HttpRequest request = peer.get();
  const auto begin = steady_clock::now();
  request.go_on = [begin] { return steady_clock::now() < begin + milliseconds(200); };
  const auto answer = http_request(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == HttpError::Kind::kStopped);
  CHECK(steady_clock::now() - begin < milliseconds(5'000));
}

TEST_CASE("Body is streamed in pieces and ended by its reader") {
  std::promise<void> enough;
  const Peer peer([&enough](int fd) {
    send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    enough.get_future().wait();
  });
  HttpRequest request = peer.get();
  std::string seen;
  request.on_body = [&seen](std::string_view piece) {
    seen += piece;
    return false;
  };
  const auto answer = http_request(request);
  enough.set_value();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == HttpError::Kind::kStopped);
  CHECK(seen == "one");
}

TEST_CASE("Answer that is cut short is an error") {
  const Peer peer(
      [](int fd) { send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"); });
  const auto answer = http_request(peer.get());
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == HttpError::Kind::kBroken);
}

TEST_CASE("Socket that is not there is an error of its own kind") {
  HttpRequest request;
  request.url = "http://docker/";
  request.unix_socket = "/no/such/socket";
  request.deadline = steady_clock::now() + std::chrono::seconds(5);
  const auto answer = http_request(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == HttpError::Kind::kConnect);
}

TEST_CASE("Endless answer is opened, waited on and ends with an error") {
  std::promise<void> opened;
  std::promise<void> waited;
  const Peer peer([&](int fd) {
    send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    opened.get_future().wait();
    send_text(fd, "5\r\nevent\r\n");
    waited.get_future().wait();
  });
  auto stream = HttpStream::open(peer.get());
  REQUIRE(stream);
  CHECK(stream->wait(steady_clock::now() + milliseconds(50)).value().empty());
  opened.set_value();
  CHECK(stream->wait(steady_clock::now() + std::chrono::seconds(10)).value() == "event");
  waited.set_value();
  CHECK_FALSE(stream->wait(steady_clock::now() + std::chrono::seconds(10)));
}

TEST_CASE("Machine without libcurl is told which package to install") {
  const auto loaded = load_curl_from("libcurl-that-is-not-there.so.4");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().find("install the package libcurl4") != std::string::npos);
  // A library that is another one.
  const auto other = load_curl_from("libm.so.6");
  REQUIRE_FALSE(other);
  CHECK(other.error().find("libm.so.6 has no curl_") == 0);
}

TEST_CASE("Text is encoded for a query") {
  CHECK(percent_encoded("a-b_c.d~e") == "a-b_c.d~e");
  CHECK(percent_encoded("{\"a\":[\"b c\"]}") == "%7B%22a%22%3A%5B%22b%20c%22%5D%7D");
  CHECK(percent_encoded(std::string_view("\0\xC3", 2)) == "%00%C3");
}

}  // namespace
}  // namespace bluegreen
