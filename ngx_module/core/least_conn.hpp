// Least connections: the endpoint with the fewest of this worker's tries for its weight, and among
// equals the one whose turn it is by round robin.
//
// Called by the balancer, in a worker, one thread. Bounded by kMaxEndpoints steps; kNoEndpoint when
// none stands.
#pragma once

#include "ngx_module/core/candidate.hpp"
#include "ngx_module/core/round_robin.hpp"

namespace bluegreen::core {

inline std::uint32_t pick_least_conn(const Field& field, Tried tried) noexcept {
  Tried out = 0;  // all but the least busy ones
  std::uint32_t best = kNoEndpoint;
  std::int64_t best_weight = 1;
  for (std::uint32_t i = 0; i < field.count && i < shm::kMaxEndpoints; ++i) {
    if (!stands(field, i, tried)) {
      continue;
    }
    Candidate& candidate = field.list[i];
    const std::int64_t weight = risen(candidate.health, field.rules, candidate.weight, field.now);
    // Shares are compared without dividing.
    const std::int64_t mine = best == kNoEndpoint ? 0 : candidate.busy * best_weight;
    const std::int64_t theirs = best == kNoEndpoint ? 1 : field.list[best].busy * weight;
    if (mine < theirs) {
      out = (Tried{1} << i) - 1;  // everybody before
      best = i;
      best_weight = weight;
    } else if (mine > theirs) {
      out |= Tried{1} << i;
    }
  }
  return best == kNoEndpoint ? kNoEndpoint : pick_round_robin(field, tried | out);
}

}  // namespace bluegreen::core
