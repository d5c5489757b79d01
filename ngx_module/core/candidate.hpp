// An endpoint as the choice among a color's endpoints sees it: its weight, its turn, its health.
//
// Weights are counted in parts of kUnit, so that slow start can give an endpoint of weight 1 less
// than its whole. A failure lowers the weight in force, as NGINX does, and each turn gives one unit
// back.
//
// Kept by one worker, one thread, on the request path. Pure; cannot fail.
#pragma once

#include <cstdint>

#include "ngx_module/core/endpoint_health.hpp"
#include "shm/limits.hpp"

namespace bluegreen::core {

using Tried = std::uint32_t;  // bit i: endpoint i was tried by this request
static_assert(shm::kMaxEndpoints <= 32);

inline constexpr std::uint32_t kNoEndpoint = shm::kMaxEndpoints;
inline constexpr std::int64_t kUnit = 256;

struct Candidate {
  std::int64_t credit = 0;
  std::int64_t weight = kUnit;    // as published
  std::int64_t in_force = kUnit;  // at most `weight`
  std::uint32_t busy = 0;         // this worker's tries that have not ended
  EndpointHealth health;
};

inline void set_weight(Candidate& candidate, std::uint32_t weight) noexcept {
  candidate.weight = candidate.in_force = std::int64_t{weight} * kUnit;
}

// What its turn counts now; gives a unit back.
inline std::int64_t take_turn(Candidate& candidate, const HealthRules& rules,
                              std::uint64_t now) noexcept {
  const std::int64_t turn = risen(candidate.health, rules, candidate.in_force, now);
  if (candidate.in_force < candidate.weight) {
    candidate.in_force += kUnit;
    if (candidate.in_force > candidate.weight) {
      candidate.in_force = candidate.weight;
    }
  }
  return turn;
}

inline void fail(Candidate& candidate, const HealthRules& rules, std::uint64_t now) noexcept {
  note_failure(candidate.health, now);
  if (rules.max_fails != 0) {
    candidate.in_force -= candidate.weight / rules.max_fails;
    if (candidate.in_force < 0) {
      candidate.in_force = 0;
    }
  }
}

// What the probes say now. Who came back has its whole weight in force again.
inline void hear_probes(Candidate& candidate, shm::Health said, const HealthRules& rules,
                        std::uint64_t now) noexcept {
  if (note_probed(candidate.health, said, rules, now)) {
    candidate.in_force = candidate.weight;
  }
}

// The endpoints of one color, and what a request has to say about them.
struct Field {
  Candidate* list;
  std::uint32_t count;
  const HealthRules& rules;
  std::uint64_t now;
  Probes probes = Probes::kCount;
};

inline bool stands(const Field& field, std::uint32_t index, Tried tried) noexcept {
  return (tried & (Tried{1} << index)) == 0 &&
         usable(field.list[index].health, field.rules, field.now, field.probes);
}

inline std::uint32_t count_standing(const Field& field, Tried tried) noexcept {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < field.count && i < shm::kMaxEndpoints; ++i) {
    count += stands(field, i, tried) ? 1 : 0;
  }
  return count;
}

// When all are out, nobody is: which of them is alive has to be tried. What the probes found stays.
inline void forgive_all(const Field& field) noexcept {
  for (std::uint32_t i = 0; i < field.count && i < shm::kMaxEndpoints; ++i) {
    field.list[i].health.fails = 0;
  }
}

}  // namespace bluegreen::core
