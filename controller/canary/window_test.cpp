// Unit tests of window.hpp.
#include "controller/canary/window.hpp"

#include <catch2/catch.hpp>

#include "shm/histogram.hpp"

using namespace bluegreen;
using namespace bluegreen::canary;

namespace {

Totals some_totals() {
  Totals totals{7, 100, 5, 10, std::vector<std::uint64_t>(shm::kBuckets)};
  totals.latency[40] = 90;
  return totals;
}

}  // namespace

TEST_CASE("window is the difference of two totals, and previews are no users") {
  Totals later = some_totals();
  later.ended += 50;
  later.errors += 3;
  later.previews += 8;
  later.latency[40] += 20;
  later.latency[41] += 30;
  const auto window = window_between(some_totals(), later);
  REQUIRE(window);
  CHECK(window->ended == 50);
  CHECK(window->errors == 3);
  CHECK(window->users == 42);
  CHECK(window->latency[40] == 20);
  CHECK(window->latency[41] == 30);
}

TEST_CASE("window in which a counter went back does not exist") {
  const int which = GENERATE(0, 1, 2, 3, 4, 5);
  CAPTURE(which);
  Totals later = some_totals();
  later.ended += 1000;
  switch (which) {
    case 0:
      later.telemetry_id = 8;  // a reboot, whose figures are already larger
      break;
    case 1:
      later.ended = 99;
      break;
    case 2:
      later.errors = 4;
      break;
    case 3:
      later.previews = 9;
      break;
    case 4:
      later.latency[40] = 89;
      break;
    default:
      later.latency.clear();
  }
  CHECK_FALSE(window_between(some_totals(), later));
}

TEST_CASE("errors that were read after their request was not are cut to the requests") {
  Totals later = some_totals();
  later.ended += 1;
  later.errors += 2;
  later.previews += 3;
  const auto window = window_between(some_totals(), later);
  REQUIRE(window);
  CHECK(window->errors == 1);
  CHECK(window->users == 0);
}

TEST_CASE("window survives being written into a journal") {
  Window window{1000, 20, 990, std::vector<std::uint64_t>(shm::kBuckets)};
  window.latency[0] = 1;
  window.latency[399] = 999;
  CHECK(text_of(window) == "1000 20 990 0:1 399:999");
  const auto read = window_from(text_of(window));
  REQUIRE(read);
  CHECK(read->ended == 1000);
  CHECK(read->errors == 20);
  CHECK(read->users == 990);
  CHECK(read->latency == window.latency);
  const auto bare = window_from(text_of({5, 0, 5, {}}));
  REQUIRE(bare);
  CHECK(bare->latency.empty());
  const auto quiet = window_from(text_of({0, 0, 0, std::vector<std::uint64_t>(shm::kBuckets)}));
  REQUIRE(quiet);
  CHECK(quiet->latency.size() == shm::kBuckets);
}

TEST_CASE("text that is no window is refused") {
  for (const char* text : {"", "1", "1 2", "x 0 0 -", "1 2 0 -", "1 0 2 -", "1 0 0 400:1",
                           "1 0 0 5", "1 0 0 5:", "1 0 0 -5:1", "1 0 0 5:1x"}) {
    CAPTURE(text);
    CHECK_FALSE(window_from(text));
  }
}
