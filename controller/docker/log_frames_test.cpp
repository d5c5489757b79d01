// Frames of a log's stream are taken off, also when it is cut.
#include "controller/docker/log_frames.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

std::string frame(char stream, const std::string& text) {
  std::string out{stream, 0, 0, 0, 0, 0};
  out.push_back(static_cast<char>(text.size() >> 8U));
  out.push_back(static_cast<char>(text.size() & 0xFFU));
  return out + text;
}

TEST_CASE("Log of both streams is one text in order") {
  const std::string big(1000, 'x');
  CHECK(without_frames(frame(1, "out\n") + frame(2, "err\n") + frame(1, big)) ==
        "out\nerr\n" + big);
}

TEST_CASE("Log that is cut inside a frame keeps what came") {
  CHECK(without_frames(frame(1, "out\n").substr(0, 10)) == "ou");
  CHECK(without_frames(frame(1, "out\n") + std::string("\1\0\0", 3)) == "out\n");
}

TEST_CASE("Log of a terminal has no frames and is left alone") {
  CHECK(without_frames("plain text\n") == "plain text\n");
  CHECK(without_frames("").empty());
}

}  // namespace
}  // namespace bluegreen
