// Unit tests of system_clock.hpp: waiting, and being asked to stop.
#include "controller/host/system_clock.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

using namespace bluegreen;
using namespace std::chrono_literals;

TEST_CASE("wait ends by itself when nobody asks to stop") {
  SystemClock clock;
  const auto start = clock.now();
  CHECK(clock.wait(20ms));
  CHECK(clock.now() - start >= 20ms);
  CHECK_FALSE(clock.stop_requested());
}

TEST_CASE("signal ends a wait and is remembered, but not a pause") {
  SystemClock clock;
  ::raise(SIGTERM);
  const auto start = clock.now();
  CHECK_FALSE(clock.wait(10s));
  CHECK(clock.now() - start < 5s);
  CHECK(clock.stop_requested());
  CHECK_FALSE(clock.wait(10s));
  clock.pause(20ms);
  CHECK(clock.now() - start >= 20ms);
}

TEST_CASE("readable descriptor ends a wait, but a request to stop comes first") {
  SystemClock clock;
  int ends[2] = {-1, -1};
  REQUIRE(::pipe(ends) == 0);
  CHECK(clock.wait_for(20ms, ends[0]) == SystemClock::Wake::kTime);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  CHECK(clock.wait_for(10s, ends[0]) == SystemClock::Wake::kEvent);
  ::raise(SIGTERM);
  CHECK(clock.wait_for(10s, ends[0]) == SystemClock::Wake::kStop);
  ::close(ends[0]);
  ::close(ends[1]);
}
