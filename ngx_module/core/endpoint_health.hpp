// Whether an endpoint may be tried: usable() is the one place that says so.
//
// Passive health is what one worker has seen of its own tries, by NGINX's rules: `max_fails`
// failures, none of them longer than `fail_timeout` after the one before, take an endpoint out for
// `fail_timeout`; then one try goes there, and its success brings the endpoint back, at a weight
// that rises over `slow_start`. Times are milliseconds of a clock that never goes back.
//
// What NGINX's probes found stands beside that: an endpoint that is unhealthy by them is out
// whatever its tries say; unknown, healthy and degraded ones are in. One that they find up again
// begins anew: older failures are forgotten, later ones count as ever, and its weight rises. When
// all of a color are down by probes, one can ask for passive health alone (Probes::kIgnored).
//
// Kept by the endpoint's identity while tables come and go (glue/peers). In a worker, one thread,
// on the request path. Pure; cannot fail.
#pragma once

#include <cstdint>

#include "shm/health_word.hpp"

namespace bluegreen::core {

struct HealthRules {
  std::uint32_t max_fails = 1;  // 0: failures are not counted
  std::uint64_t fail_timeout_ms = 10000;
  std::uint64_t slow_start_ms = 0;
};

struct EndpointHealth {
  std::uint32_t fails = 0;
  std::uint64_t failed_at = 0;  // the last failure
  std::uint64_t tried_at = 0;   // the last failure, or the first try that came long enough after it
  std::uint64_t rises_from = 0;  // slow start began; 0: it has its whole weight
  bool probed_down = false;
};

enum class Probes : std::uint8_t { kCount, kIgnored };

inline bool failed_lately(const EndpointHealth& health, const HealthRules& rules,
                          std::uint64_t now) noexcept {
  return rules.max_fails != 0 && health.fails >= rules.max_fails &&
         now - health.tried_at <= rules.fail_timeout_ms;
}

inline bool usable(const EndpointHealth& health, const HealthRules& rules, std::uint64_t now,
                   Probes probes = Probes::kCount) noexcept {
  const bool down = health.probed_down && probes == Probes::kCount;
  return !down && !failed_lately(health, rules, now);
}

// What the probes say now; true when by that it came back. Unknown (another table, no prober)
// proves nothing.
inline bool note_probed(EndpointHealth& health, shm::Health said, const HealthRules& rules,
                        std::uint64_t now) noexcept {
  const bool was_down = health.probed_down;
  health.probed_down = said == shm::Health::kUnhealthy;
  if (!was_down || health.probed_down || said == shm::Health::kUnknown) {
    return false;
  }
  health.fails = 0;
  if (rules.slow_start_ms != 0) {
    health.rises_from = now;
  }
  return true;
}

// A try begins. While an endpoint is out, it is the one for this fail_timeout.
inline void note_try(EndpointHealth& health, const HealthRules& rules, std::uint64_t now) noexcept {
  if (health.fails != 0 && now - health.tried_at > rules.fail_timeout_ms) {
    health.tried_at = now;
  }
}

inline void note_failure(EndpointHealth& health, std::uint64_t now) noexcept {
  ++health.fails;
  health.failed_at = now;
  health.tried_at = now;
}

// A try that began before the last failure proves nothing.
inline void note_success(EndpointHealth& health, const HealthRules& rules,
                         std::uint64_t now) noexcept {
  if (health.fails == 0 || health.failed_at >= health.tried_at) {
    return;
  }
  if (rules.slow_start_ms != 0 && rules.max_fails != 0 && health.fails >= rules.max_fails) {
    health.rises_from = now;
  }
  health.fails = 0;
}

// How much of `full` an endpoint is given at the moment; never 0.
inline std::int64_t risen(EndpointHealth& health, const HealthRules& rules, std::int64_t full,
                          std::uint64_t now) noexcept {
  if (health.rises_from == 0) {
    return full;
  }
  const std::uint64_t age = now - health.rises_from;
  if (age >= rules.slow_start_ms) {
    health.rises_from = 0;
    return full;
  }
  const auto part =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(full) * age / rules.slow_start_ms);
  return part > 0 ? part : 1;
}

}  // namespace bluegreen::core
