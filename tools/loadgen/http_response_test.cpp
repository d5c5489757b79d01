// The response parser: every kind of body, in pieces of every size, and what it refuses.
#include "tools/loadgen/http_response.hpp"

#include <catch2/catch.hpp>

namespace {

using bluegreen::loadgen::HttpResponse;
using State = HttpResponse::State;

// Feeds `text` in pieces; the state at the end and how much was consumed.
State feed(HttpResponse& response, std::string_view text, std::size_t piece,
           std::size_t* consumed_all = nullptr) {
  std::size_t total = 0;
  while (total < text.size() && response.state() == State::kMore) {
    std::size_t consumed = 0;
    response.feed(text.substr(total, piece), consumed);
    total += consumed;
  }
  if (consumed_all != nullptr) {
    *consumed_all = total;
  }
  return response.state();
}

State feed_all(std::string_view text) {
  HttpResponse response;
  return feed(response, text, text.size());
}

}  // namespace

TEST_CASE("HttpResponse finds the end of every kind of body, in pieces of any size") {
  const std::string_view text = GENERATE(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Color: green\r\nX-Release: v2\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nx-color:green\r\nX-RELEASE: v2 \r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\na;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX-Color: green\r\nX-Release: v2\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX-Color: green\r\nX-Release: v2"
      "\r\n\r\n");
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    HttpResponse response;
    std::size_t consumed = 0;
    REQUIRE(feed(response, text, piece, &consumed) == State::kDone);
    REQUIRE(consumed == text.size());
    REQUIRE(response.color() == "green");
    REQUIRE(response.release() == "v2");
    REQUIRE(response.keep_alive());
  }
}

TEST_CASE("HttpResponse is not done one byte before its end") {
  const std::string_view text =
      GENERATE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  HttpResponse response;
  REQUIRE(feed(response, text.substr(0, text.size() - 1), text.size()) == State::kMore);
  SECTION("and a close there is malformed") {
    REQUIRE(response.finish() == State::kMalformed);
  }
  SECTION("and done with it") {
    REQUIRE(feed(response, text.substr(text.size() - 1), 1) == State::kDone);
  }
}

TEST_CASE("HttpResponse leaves bytes behind its end to the caller") {
  const std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1";
  HttpResponse response;
  std::size_t consumed = 0;
  REQUIRE(response.feed(text, consumed) == State::kDone);
  REQUIRE(consumed == text.size() - 8);
}

TEST_CASE("HttpResponse without a length ends with its connection") {
  HttpResponse response;
  REQUIRE(feed(response, "HTTP/1.1 200 OK\r\n\r\nsome", 3) == State::kMore);
  REQUIRE_FALSE(response.keep_alive());
  REQUIRE(response.finish() == State::kDone);
}

TEST_CASE("HttpResponse knows whether the connection may be used again") {
  HttpResponse response;
  const auto keep = [&response](std::string_view head) {
    response.reset();
    REQUIRE(feed(response, head, head.size()) == State::kDone);
    return response.keep_alive();
  };
  CHECK(keep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK_FALSE(keep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  CHECK_FALSE(keep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n"));
  CHECK_FALSE(keep("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK(keep("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK_FALSE(keep("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
}

TEST_CASE("HttpResponse to HEAD has no body whatever its length says") {
  HttpResponse response;
  response.reset(true);
  REQUIRE(feed(response, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 99) == State::kDone);
}

TEST_CASE("HttpResponse refuses what is not a response") {
  CHECK(feed_all("HTTP/2 200 OK\r\n\r\n") == State::kMalformed);
  CHECK(feed_all("HTTP/1.1 2x0 OK\r\n\r\n") == State::kMalformed);
  CHECK(feed_all("HTTP/1.1 2000 OK\r\n\r\n") == State::kMalformed);
  CHECK(feed_all("\r\n\r\n") == State::kMalformed);
  CHECK(feed_all("HTTP/1.1 200 OK\r\nno colon\r\n\r\n") == State::kMalformed);
  CHECK(feed_all("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n") == State::kMalformed);
  CHECK(feed_all("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") ==
        State::kMalformed);
  CHECK(feed_all("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n") ==
        State::kMalformed);
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(feed_all(chunked + "xyz\r\n") == State::kMalformed);
  CHECK(feed_all(chunked + "2\r\nabX\r\n") == State::kMalformed);
  CHECK(feed_all(chunked + "2\n") == State::kMalformed);
  CHECK(feed_all("HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'a')) == State::kMalformed);
}

TEST_CASE("HttpResponse forgets the last response when it is reset") {
  HttpResponse response;
  feed(response, "HTTP/1.1 200 OK\r\nX-Color: blue\r\nContent-Length: 0\r\n\r\n", 99);
  response.reset();
  REQUIRE(feed(response, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 99) == State::kDone);
  REQUIRE(response.status() == 503);
  REQUIRE(response.color().empty());
}
