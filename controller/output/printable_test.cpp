// Tests of printable.hpp.
#include "controller/output/printable.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {

TEST_CASE("printable: what a terminal would obey is escaped") {
  CHECK(printable("plain text") == "plain text");
  CHECK(printable("\x1b[31mred") == "\\x1b[31mred");
  CHECK(printable("a\rb\nc\td\x7f") == "a\\x0db\\x0ac\\x09d\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");  // CSI as one C1 character
  CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
}

TEST_CASE("printable: text in UTF-8 stays, what only looks like it is escaped") {
  CHECK(printable("grün ✔") == "grün ✔");
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("\xc3") == "\\xc3");                    // cut
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
  CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");  // right-to-left override
}

TEST_CASE("printable: lines stay lines where they are wanted") {
  CHECK(printable("a\n\tb\x1b", true) == "a\n\tb\\x1b");
}

TEST_CASE("utc_time: seconds and milliseconds of a point in time") {
  const std::chrono::system_clock::time_point at{std::chrono::milliseconds(1'767'225'600'042)};
  CHECK(utc_time(at) == "2026-01-01T00:00:00Z");
  CHECK(utc_time_ms(at) == "2026-01-01T00:00:00.042Z");
  CHECK(utc_time_of_ns(1'767'225'600'000'000'000U) == "2026-01-01T00:00:00Z");
  CHECK(utc_time_of_ns(0).empty());
  CHECK(utc_time_of_ns(~std::uint64_t{0}).empty());
}

TEST_CASE("readable: a duration in the unit that fits") {
  using std::chrono::milliseconds;
  CHECK(readable(milliseconds(3)) == "3ms");
  CHECK(readable(milliseconds(1'250)) == "1.2s");
  CHECK(readable(milliseconds(250'000)) == "4m10s");
}

}  // namespace bluegreen
