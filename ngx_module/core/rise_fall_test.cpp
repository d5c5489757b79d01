// Rise, fall, degraded and the time to the next probe: see rise_fall.hpp.
#include "ngx_module/core/rise_fall.hpp"

#include <catch2/catch.hpp>
#include <string_view>

using namespace bluegreen::core;
using bluegreen::shm::Health;

namespace {

// '+' success, '~' slow success, '-' failure. How often the health has changed.
int take(RiseFall& state, std::string_view outcomes) {
  int changes = 0;
  for (const char c : outcomes) {
    const ProbeOutcome outcome = c == '+'   ? ProbeOutcome::kSuccess
                                 : c == '~' ? ProbeOutcome::kSlowSuccess
                                            : ProbeOutcome::kFailure;
    changes += take_outcome({}, outcome, state) ? 1 : 0;
  }
  return changes;
}

}  // namespace

TEST_CASE("Health changes after as many probes in a row as the rules say, and not before") {
  struct Row {
    std::string_view outcomes;
    Health health;
    int changes;
  };
  const Row row =
      GENERATE(Row{"", Health::kUnknown, 0}, Row{"+", Health::kUnknown, 0},
               Row{"++", Health::kHealthy, 1}, Row{"--", Health::kUnknown, 0},
               Row{"---", Health::kUnhealthy, 1}, Row{"+-+-+--", Health::kUnknown, 0},
               Row{"++--", Health::kHealthy, 1}, Row{"++--+--", Health::kHealthy, 1},
               Row{"++---", Health::kUnhealthy, 2}, Row{"++---+", Health::kUnhealthy, 2},
               Row{"++---+-+", Health::kUnhealthy, 2}, Row{"++---++", Health::kHealthy, 3});
  RiseFall state;
  CAPTURE(row.outcomes);
  CHECK(take(state, row.outcomes) == row.changes);
  CHECK(state.health == row.health);
}

TEST_CASE("A slow probe degrades a healthy endpoint, and rise quick ones in a row end it") {
  RiseFall state;
  CHECK(take(state, "~~") == 1);
  CHECK(state.health == Health::kDegraded);
  CHECK(take(state, "+~+~+") == 0);
  CHECK(take(state, "+") == 1);
  CHECK(state.health == Health::kHealthy);
  CHECK(take(state, "~") == 1);
  CHECK(state.health == Health::kDegraded);
  CHECK(take(state, "---") == 1);
  CHECK(state.health == Health::kUnhealthy);
  CHECK(take(state, "+~") == 1);
  CHECK(state.health == Health::kDegraded);
}

TEST_CASE("Probes are fast while an endpoint is new or changing, never later than the interval") {
  const RiseFallRules rules;
  RiseFall state;
  CHECK(next_interval_ms(rules, state, 0) == 250);
  take(state, "++");
  CHECK(next_interval_ms(rules, state, 0) == 1000);
  for (std::uint32_t random = 0; random < 5000; random += 7) {
    const std::uint64_t interval = next_interval_ms(rules, state, random);
    REQUIRE(interval <= 1000);
    REQUIRE(interval >= 1000 - 1000 / 16);
  }
  take(state, "-");
  CHECK(next_interval_ms(rules, state, 0) == 250);
  take(state, "--");
  CHECK(state.health == Health::kUnhealthy);
  CHECK(next_interval_ms(rules, state, 0) == 1000);
  take(state, "+");
  CHECK(next_interval_ms(rules, state, 0) == 250);
}

TEST_CASE("Intervals at their limits stay above nothing and below what was configured") {
  RiseFall state;
  CHECK(next_interval_ms({1, 1, 1, 1}, state, UINT32_MAX) == 1);
  CHECK(next_interval_ms({1, 1, 100, 250}, state, 0) == 100);
  CHECK(first_delay_ms({1, 1, 800, 800}, state, 3, 8) == 300);
  CHECK(first_delay_ms({1, 1, 800, 800}, state, 0, 0) == 0);
}

TEST_CASE("Counters in a row stop at their limit") {
  RiseFall state{Health::kHealthy, UINT16_MAX, 0, UINT16_MAX};
  CHECK(take(state, "+") == 0);
  CHECK(state.successes_in_row == UINT16_MAX);
  CHECK(state.health == Health::kHealthy);
}
