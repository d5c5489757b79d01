// Objects come out whole however the stream is cut.
#include "controller/docker/json_stream.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

const std::string kStream =
    "{\"a\":{\"b\":\"}{\"}}\r\n{\"text\":\"quote \\\" brace } \\\\\"} {\"last\":[{},{}]}";

TEST_CASE("JSON stream gives the same objects for every cut") {
  const std::vector<std::string> expected = {
      "{\"a\":{\"b\":\"}{\"}}", "{\"text\":\"quote \\\" brace } \\\\\"}", "{\"last\":[{},{}]}"};
  for (std::size_t size = 1; size <= kStream.size(); ++size) {
    JsonStream stream;
    std::vector<std::string> found;
    for (std::size_t at = 0; at < kStream.size(); at += size) {
      for (auto& object : stream.feed(std::string_view(kStream).substr(at, size))) {
        found.push_back(std::move(object));
      }
    }
    INFO(size);
    CHECK(found == expected);
    CHECK_FALSE(stream.broken());
    CHECK_FALSE(stream.incomplete());
  }
}

TEST_CASE("JSON stream that ends inside an object says so") {
  JsonStream stream;
  CHECK(stream.feed("{\"a\": 1").empty());
  CHECK(stream.incomplete());
}

TEST_CASE("JSON stream with anything but objects is broken and stays so") {
  JsonStream stream;
  CHECK(stream.feed("<html>{}").empty());
  CHECK(stream.broken());
  CHECK(stream.feed("{}").empty());
  JsonStream endless;
  static_cast<void>(endless.feed("{\"" + std::string(2U << 20, 'x')));
  CHECK(endless.broken());
}

}  // namespace
}  // namespace bluegreen
