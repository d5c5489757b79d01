// Times as NGINX writes them.
#include "ngx_module/core/duration.hpp"

#include <catch2/catch.hpp>

using bluegreen::core::parse_duration;

namespace {

std::uint64_t ms(std::string_view text) {
  std::uint64_t value = 0;
  REQUIRE(parse_duration(text, value));
  return value;
}

bool refused(std::string_view text) {
  std::uint64_t value = 77;
  const bool ok = parse_duration(text, value);
  return !ok && value == 77;
}

}  // namespace

TEST_CASE("parse_duration: NGINX's units, alone and one after the other") {
  CHECK(ms("0") == 0);
  CHECK(ms("45") == 45000);
  CHECK(ms("30s") == 30000);
  CHECK(ms("500ms") == 500);
  CHECK(ms("1m30s") == 90000);
  CHECK(ms("1m30") == 90000);
  CHECK(ms("1h 5m") == 3900000);
  CHECK(ms("1d") == 86400000);
  CHECK(ms("1w1d") == 8 * 86400000ULL);
  CHECK(ms("1M") == 30 * 86400000ULL);
  CHECK(ms("1y") == 365 * 86400000ULL);
  CHECK(ms("1s 5ms") == 1005);
}

TEST_CASE("parse_duration: what is no time is refused and leaves the value alone") {
  for (const char* text : {"", "s", "-1", "1.5s", "1x", "1s1m", "1s1s", "1 s", " 1s", "30s,", "1 2",
                           "101y", "99999999999999999999", "18446744073709551616ms", "1msx"}) {
    INFO(text);
    CHECK(refused(text));
  }
}
