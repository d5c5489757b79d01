// When an endpoint's health changes, and when it is probed again.
//
// unknown    `rise` successes in a row make it healthy, `fall` failures unhealthy
// healthy    `fall` failures in a row make it unhealthy; one slow success makes it degraded
// degraded   the same `fall`; `rise` quick successes in a row make it healthy again, so that an
//            endpoint at the limit does not change at each probe
// unhealthy  `rise` successes in a row bring it back: degraded when the last of them was slow
//
// The time to the next probe is never longer than the interval that was configured: `fall`
// intervals and a time-out are what a reader of the configuration may count on. Called by the
// prober, one thread. Pure; counters stop at their limit.
#pragma once

#include <cstdint>

#include "shm/health_word.hpp"

namespace bluegreen::core {

struct RiseFallRules {
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
  std::uint64_t interval_ms = 1000;
  std::uint64_t fast_interval_ms = 250;
};

// The first three are kept in the region and outlive the prober. `quick_in_row` is not: after a
// takeover a degraded endpoint stays so for up to `rise` probes more.
struct RiseFall {
  shm::Health health = shm::Health::kUnknown;
  std::uint16_t successes_in_row = 0;
  std::uint16_t failures_in_row = 0;
  std::uint16_t quick_in_row = 0;
};

enum class ProbeOutcome : std::uint8_t { kFailure, kSuccess, kSlowSuccess };

namespace detail {

inline std::uint16_t one_more(std::uint16_t count) noexcept {
  return count == UINT16_MAX ? count : static_cast<std::uint16_t>(count + 1);
}

inline shm::Health after_success(const RiseFallRules& rules, const RiseFall& state,
                                 bool slow) noexcept {
  const bool usable =
      state.health == shm::Health::kHealthy || state.health == shm::Health::kDegraded;
  if (!usable && state.successes_in_row < rules.rise) {
    return state.health;
  }
  if (slow) {
    return shm::Health::kDegraded;
  }
  return state.health == shm::Health::kDegraded && state.quick_in_row < rules.rise
             ? shm::Health::kDegraded
             : shm::Health::kHealthy;
}

}  // namespace detail

// Takes in one probe. True: the health has changed.
inline bool take_outcome(const RiseFallRules& rules, ProbeOutcome outcome,
                         RiseFall& state) noexcept {
  const shm::Health before = state.health;
  if (outcome == ProbeOutcome::kFailure) {
    state.successes_in_row = 0;
    state.quick_in_row = 0;
    state.failures_in_row = detail::one_more(state.failures_in_row);
    if (state.failures_in_row >= rules.fall) {
      state.health = shm::Health::kUnhealthy;
    }
  } else {
    const bool slow = outcome == ProbeOutcome::kSlowSuccess;
    state.failures_in_row = 0;
    state.successes_in_row = detail::one_more(state.successes_in_row);
    state.quick_in_row = slow ? std::uint16_t{0} : detail::one_more(state.quick_in_row);
    state.health = detail::after_success(rules, state, slow);
  }
  return state.health != before;
}

// New, or with a probe behind it that speaks against what it is held for.
inline bool is_changing(const RiseFall& state) noexcept {
  switch (state.health) {
    case shm::Health::kHealthy:
    case shm::Health::kDegraded:
      return state.failures_in_row != 0;
    case shm::Health::kUnhealthy:
      return state.successes_in_row != 0;
    case shm::Health::kUnknown:
      break;
  }
  return true;
}

// From the start of one probe to the start of the next: the interval, less up to a sixteenth of it
// by `random`, so that endpoints do not stay in step. At least 1.
inline std::uint64_t next_interval_ms(const RiseFallRules& rules, const RiseFall& state,
                                      std::uint32_t random) noexcept {
  std::uint64_t interval = rules.interval_ms;
  if (is_changing(state) && rules.fast_interval_ms < interval) {
    interval = rules.fast_interval_ms;
  }
  const std::uint64_t shorter = interval - random % (interval / 16 + 1);
  return shorter != 0 ? shorter : 1;
}

// For endpoint `index` of `count`: where in the interval its first probe starts, so that the
// probes of one application are spread evenly over it from the first on.
inline std::uint64_t first_delay_ms(const RiseFallRules& rules, const RiseFall& state,
                                    std::uint32_t index, std::uint32_t count) noexcept {
  const bool fast = is_changing(state) && rules.fast_interval_ms < rules.interval_ms;
  const std::uint64_t interval = fast ? rules.fast_interval_ms : rules.interval_ms;
  return count == 0 ? 0 : interval * (index % count) / count;
}

}  // namespace bluegreen::core
