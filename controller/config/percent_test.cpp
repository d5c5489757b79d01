// Tests of percent.hpp.
#include "controller/config/percent.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen;

TEST_CASE("parse_percent: 0 to 100 with at most two decimals, nothing else") {
  CHECK(parse_percent("0") == 0U);
  CHECK(parse_percent("1") == 100U);
  CHECK(parse_percent("0.01") == 1U);
  CHECK(parse_percent("0.5") == 50U);
  CHECK(parse_percent("12.25%") == 1225U);
  CHECK(parse_percent("100.00") == 10'000U);
  CHECK(parse_percent("007") == 700U);
  for (const char* text : {"", "%", "-1", "+1", "100.01", "101", "1.234", "1.", ".5", "1e1", "five",
                           "1,5", " 1", "1 ", "0x10", "99999999999", "5%%", "nan"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_percent(text));
  }
}

TEST_CASE("percent_text: as short as it can be said") {
  CHECK(percent_text(0) == "0%");
  CHECK(percent_text(1) == "0.01%");
  CHECK(percent_text(50) == "0.5%");
  CHECK(percent_text(1225) == "12.25%");
  CHECK(percent_text(10'000) == "100%");
  for (std::uint32_t weight = 0; weight <= 10'000; ++weight) {
    REQUIRE(parse_percent(percent_text(weight)) == weight);
  }
}
