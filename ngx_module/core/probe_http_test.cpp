// A probe's request and the answer to it, whole, in pieces, and hostile: see probe_http.hpp.
#include "ngx_module/core/probe_http.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace bluegreen::core;
using State = ProbeAnswer::State;

namespace {

std::string request_of(const ProbeSettings& settings) {
  char out[kLongestProbeRequest];
  return std::string(out, write_probe_request(settings, "10.0.0.1:80", out, sizeof(out)));
}

// The error after all of the bytes and the end of the connection; "" without one.
std::string error_of(const std::string& bytes, std::size_t piece) {
  ProbeAnswer answer(false);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    answer.feed(std::string_view(bytes).substr(at, piece));
  }
  return answer.close() == State::kFailed ? answer.error() : "";
}

const std::string kHead = "HTTP/1.1 200 OK\r\n";

}  // namespace

TEST_CASE("A probe's request says what the settings say and who asks") {
  ProbeSettings settings;
  CHECK(request_of(settings) ==
        "GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\nUser-Agent: bluegreen-probe\r\n\r\n");
  settings.uri = "/ready?x=1";
  settings.host = "app.test";
  settings.method = ProbeMethod::kPost;
  settings.keepalive = false;
  settings.headers[settings.header_count++] = "X-A: 1";
  CHECK(request_of(settings) ==
        "POST /ready?x=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: bluegreen-probe\r\n"
        "Connection: close\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n");
}

TEST_CASE("A probe's request that does not fit is none, and the longest settings fit") {
  ProbeSettings settings;
  const std::string longest(kLongestProbeText, 'x');
  const std::string host(255, 'h');
  settings.uri = longest;
  settings.host = host;
  for (auto& header : settings.headers) {
    header = longest;
  }
  settings.header_count = kMostProbeHeaders;
  char out[kLongestProbeRequest];
  const std::size_t size = write_probe_request(settings, "", out, sizeof(out));
  CHECK(size > kMostProbeHeaders * kLongestProbeText);
  CHECK(write_probe_request(settings, "", out, size) == size);
  CHECK(write_probe_request(settings, "", out, size - 1) == 0);
  CHECK(write_probe_request(settings, "", out, 0) == 0);
}

TEST_CASE("An answer is complete at its end, whatever the pieces it comes in") {
  struct Row {
    std::string bytes;
    std::uint32_t status;
    std::string body;
    bool reusable;
  };
  const std::vector<Row> rows = {
      {kHead + "Content-Length: 2\r\n\r\nok", 200, "ok", true},
      {kHead + "content-LENGTH:2\n\nok", 200, "ok", true},
      {kHead + "Content-Length: 0\r\n\r\n", 200, "", true},
      {kHead + "Connection: x, Close\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
      {"HTTP/1.0 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
      {"HTTP/1.0 200\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
      {kHead + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n"
               "\r\n",
       200, "ok0123456789", true},
      {kHead + "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\n", 200, "", false},
      {"HTTP/1.1 204 None\r\n\r\n", 204, "", true},
      {"HTTP/1.1 100 Wait\r\nX: 1\r\n\r\nHTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n", 503, "",
       true},
      {kHead + "X: " + std::string(5000, 'x') + "\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
      {kHead + std::string(300, 'n') + ": 1\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
  };
  for (const Row& row : rows) {
    for (std::size_t piece = 1; piece <= row.bytes.size(); piece += piece < 8 ? 1 : 61) {
      std::string window(kMostBodyBytes, '\0');
      ProbeAnswer answer(false, window.data());
      State state = State::kMore;
      for (std::size_t at = 0; at < row.bytes.size(); at += piece) {
        REQUIRE(state == State::kMore);
        state = answer.feed(std::string_view(row.bytes).substr(at, piece));
      }
      CAPTURE(row.bytes, piece);
      REQUIRE(state == State::kComplete);
      REQUIRE(answer.status() == row.status);
      REQUIRE(answer.body() == row.body);
      REQUIRE(answer.reusable() == row.reusable);
    }
  }
}

TEST_CASE("An answer without a length ends with its connection") {
  std::string window(kMostBodyBytes, '\0');
  ProbeAnswer answer(false, window.data());
  CHECK(answer.feed(kHead + "\r\nfine") == State::kMore);
  CHECK(answer.close() == State::kComplete);
  CHECK(answer.body() == "fine");
  CHECK_FALSE(answer.reusable());
}

TEST_CASE("An answer to HEAD has no body, and bytes behind an answer end the connection") {
  ProbeAnswer head(true);
  CHECK(head.feed(kHead + "Content-Length: 5\r\n\r\n") == State::kComplete);
  CHECK(head.reusable());
  ProbeAnswer more(false);
  CHECK(more.feed(kHead + "Content-Length: 1\r\n\r\nab") == State::kComplete);
  CHECK_FALSE(more.reusable());
  ProbeAnswer late(false);
  CHECK(late.feed(kHead + "Content-Length: 1\r\n\r\na") == State::kComplete);
  late.feed("x");
  CHECK_FALSE(late.reusable());
}

TEST_CASE("An endless body is read up to its limit, and no further") {
  const std::string framing = GENERATE("Content-Length: 1000000000\r\n\r\n", "\r\n",
                                       "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n");
  std::string window(kMostBodyBytes + 1, '#');
  ProbeAnswer answer(false, window.data());
  answer.feed(kHead + framing);
  const std::string block(1000, 'x');
  int blocks = 0;
  while (answer.feed(block) == State::kMore && blocks < 1000) {
    ++blocks;
  }
  CHECK(blocks == kMostBodyBytes / 1000);
  CHECK(answer.state() == State::kComplete);
  CHECK(answer.cut());
  CHECK_FALSE(answer.reusable());
  CHECK(answer.body().size() == kMostBodyBytes);
  CHECK(window.back() == '#');
}

TEST_CASE("A broken answer has an error that says what is wrong, whatever its pieces") {
  struct Row {
    std::string bytes;
    std::string error;
  };
  const std::string chunked = kHead + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<Row> rows = {
      {"", "closed the connection without an answer"},
      {"HTTP", "closed the connection in the middle of its headers"},
      {kHead + "A: b\r\n", "closed the connection in the middle of its headers"},
      {kHead + "Content-Length: 3\r\n\r\nab", "closed the connection in the middle of its body"},
      {chunked + "3\r\nab", "closed the connection in the middle of its body"},
      {chunked + "0\r\n", "closed the connection in the middle of its body"},
      {std::string("\x15\x03\x01\x00\x02", 5), "not an HTTP/1 answer"},
      {"SSH-2.0-OpenSSH\r\n", "not an HTTP/1 answer"},
      {"\r\n", "not an HTTP/1 answer"},
      {"HTTP/2.0 200 OK\r\n", "not an HTTP/1 answer"},
      {"HTTP/1.2 200 OK\r\n", "not an HTTP/1 answer"},
      {"HTTP/1.1 2000\r\n", "not an HTTP/1 answer"},
      {"HTTP/1.1 20\r\n", "not an HTTP/1 answer"},
      {"HTTP/1.1 2x0 \r\n", "a status that is no number"},
      {"HTTP/1.1 099 \r\n", "a status that is not from 100 to 599"},
      {"HTTP/1.1 600 \r\n", "a status that is not from 100 to 599"},
      {kHead + "no colon\r\n", "a header without a colon"},
      {kHead + "Content-Length: -1\r\n", "a content-length that is no number"},
      {kHead + "Content-Length:\r\n", "a content-length that is no number"},
      {kHead + "Content-Length: 99999999999999999999999\r\n", "a content-length that is no number"},
      {kHead + "Content-Length: 1\r\nContent-Length: 2\r\n", "two different content-lengths"},
      {kHead + "Content-Length:" + std::string(300, ' ') + "1\r\n",
       "a header that frames the answer of more than 256 bytes"},
      {kHead + "Transfer-Encoding: gzip\r\n", "a transfer-encoding that is not chunked"},
      {chunked + "x\r\n", "a chunk's size that is no number"},
      {chunked + "\r\n", "a chunk's size that is no number"},
      {chunked + "ffffffffffffffffff\r\n", "a chunk's size that is no number"},
      {chunked + "1;" + std::string(300, 'x'), "a chunk's size of more than 256 bytes"},
      {chunked + "1\r\nab\r\n", "a chunk that is longer than its size"},
      {kHead + std::string(40000, 'a'), "more than 32 KB of headers"},
      {chunked + "0\r\n" + std::string(40000, 'a'), "more than 32 KB of headers"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes.substr(0, 100));
    CHECK(error_of(row.bytes, 1) == row.error);
    CHECK(error_of(row.bytes, 7) == row.error);
    CHECK(error_of(row.bytes, row.bytes.size() + 1) == row.error);
  }
}

TEST_CASE("Endless interim answers end at the headers' limit") {
  ProbeAnswer answer(false);
  int fed = 0;
  while (answer.feed("HTTP/1.1 100 Wait\r\n\r\n") == State::kMore && fed < 10000) {
    ++fed;
  }
  CHECK(answer.state() == State::kFailed);
  CHECK(fed < 1700);
}

TEST_CASE("Answers with bytes changed, cut and doubled end in a state, within the window") {
  std::mt19937 random(10);
  const std::string seeds[] = {
      kHead + "Content-Length: 10\r\nConnection: keep-alive\r\n\r\n0123456789",
      kHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n"};
  std::string window(kMostBodyBytes + 1, '#');
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = seeds[random() % 2];
    for (unsigned change = random() % 4; change != 0; --change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
      bytes.insert(random() % bytes.size(), bytes.substr(random() % bytes.size(), random() % 9));
    }
    ProbeAnswer answer(false, window.data());
    const std::size_t piece = 1 + random() % 20;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      answer.feed(std::string_view(bytes).substr(at, piece));
    }
    REQUIRE(answer.close() != State::kMore);
    REQUIRE((answer.state() == State::kFailed) == (answer.error() != nullptr));
    REQUIRE(answer.body().size() <= bytes.size());
    REQUIRE(window.back() == '#');
  }
}
