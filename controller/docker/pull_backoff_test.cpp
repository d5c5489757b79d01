// The pauses of a pull that fails again and again.
#include "controller/docker/pull_backoff.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

TEST_CASE("Pauses between pulls double up to the longest and keep at least half") {
  const PullBackoff backoff{8, milliseconds(1'000), milliseconds(5'000), milliseconds(600'000)};
  const auto pause = [&backoff](int failed, double random) {
    return pause_before_retry(backoff, failed, milliseconds(0), std::nullopt, random);
  };
  CHECK(pause(1, 0.0) == milliseconds(500));
  CHECK(pause(1, 0.999'99) == milliseconds(1'000));
  CHECK(pause(2, 0.5) == milliseconds(1'500));
  CHECK(pause(3, 0.0) == milliseconds(2'000));
  CHECK(pause(4, 0.0) == milliseconds(2'500));
  CHECK(pause(7, 0.999'99) == milliseconds(5'000));
  CHECK(pause(8, 0.0) == std::nullopt);
}

TEST_CASE("Pull is given up when its next try would begin too late") {
  const PullBackoff backoff{};
  CHECK(pause_before_retry(backoff, 1, milliseconds(599'600), std::nullopt, 0.5) == std::nullopt);
  CHECK(pause_before_retry(backoff, 1, milliseconds(1'000), milliseconds(600'000), 0.0) ==
        std::nullopt);
}

TEST_CASE("Registry that says when to come back is not asked sooner") {
  const PullBackoff backoff{};
  CHECK(pause_before_retry(backoff, 1, milliseconds(0), milliseconds(20'000), 0.0) ==
        milliseconds(20'500));
  CHECK(pause_before_retry(backoff, 3, milliseconds(0), milliseconds(1), 0.0) ==
        milliseconds(2'000));
}

TEST_CASE("Time a registry asks for is found in what the Engine says") {
  CHECK(retry_after("toomanyrequests: retry-after: 937.481µs, allowed: 44000/minute") ==
        milliseconds(1));
  CHECK(retry_after("429 Too Many Requests (Retry-After: 30)") == milliseconds(30'000));
  CHECK(retry_after("please retry after 1.5s") == milliseconds(1'500));
  CHECK(retry_after("Retry-After: 250ms") == milliseconds(250));
  CHECK(retry_after("Retry-After: 2m") == milliseconds(120'000));
  CHECK(retry_after("Retry-After: 1e300") == milliseconds(86'400'000));
  CHECK(retry_after("Retry-After: Tue, 01 Dec 2026 12:00:00 GMT") == std::nullopt);
  CHECK(retry_after("Retry-After") == std::nullopt);
  CHECK(retry_after("toomanyrequests") == std::nullopt);
}

}  // namespace
}  // namespace bluegreen
