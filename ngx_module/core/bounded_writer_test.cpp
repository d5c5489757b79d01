// The bounded writer: see bounded_writer.hpp.
#include "ngx_module/core/bounded_writer.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

using bluegreen::core::BoundedWriter;

namespace {

std::string json(std::string_view value) {
  char buffer[128];
  BoundedWriter out(buffer, sizeof(buffer));
  out.json(value);
  return {buffer, out.needed()};
}

}  // namespace

TEST_CASE("Writer counts beyond its end and writes nothing there") {
  char buffer[5] = {'#', '#', '#', '#', '#'};
  BoundedWriter out(buffer, 4);
  out.text("abcdefgh");
  CHECK(out.needed() == 8);
  CHECK(out.overflowed());
  CHECK(std::string(buffer, 5) == "abcd#");
}

TEST_CASE("Writer without a buffer measures") {
  BoundedWriter out(nullptr, 0);
  out.number(12345);
  out.json("a");
  CHECK(out.needed() == 8);
}

TEST_CASE("Numbers are written whole at their limits") {
  char buffer[32];
  BoundedWriter out(buffer, sizeof(buffer));
  out.number(0);
  out.put(' ');
  out.number(18446744073709551615U);
  CHECK(std::string(buffer, out.needed()) == "0 18446744073709551615");
}

TEST_CASE("Text is escaped so that any bytes give a JSON string") {
  CHECK(json(R"(a"b\c)") == R"("a\"b\\c")");
  CHECK(json(std::string_view("\n\t\0\x1f", 4)) == R"("\u000a\u0009\u0000\u001f")");
  CHECK(json("\x7f\xc3\xa9") == R"("???")");
}

TEST_CASE("A writer that can grow has everything, whatever the parts") {
  const auto grow = [](char*& buffer, std::size_t& size) {
    static char memory[2][4096];
    static std::size_t turn = 0;
    char* const next = memory[turn++ % 2];
    if (size != 0) {
      std::memcpy(next, buffer, size);
    }
    buffer = next;
    size = size == 0 ? 7 : 2 * size;
  };
  bluegreen::core::BoundedWriter out(nullptr, 0, grow);
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    out.text("part ");
    out.number(static_cast<std::uint64_t>(i));
    out.put(';');
    expected += "part " + std::to_string(i) + ";";
  }
  CHECK_FALSE(out.overflowed());
  CHECK(std::string(out.data(), out.needed()) == expected);
}
