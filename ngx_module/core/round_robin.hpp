// Smooth weighted round robin over one color's endpoints.
//
// Each pick raises every candidate's credit by its weight, takes the richest, and lowers that one
// by the sum of the candidates' weights: with weights 5, 1, 1 the order is a a b a c a a, not
// a a a a a b c. A request's retries pass a bitmap of the endpoints that it has tried.
//
// Called by the balancer, in a worker; the credits are the worker's own, one thread. Bounded by
// kMaxEndpoints steps; kNoEndpoint when none stands.
#pragma once

#include "ngx_module/core/candidate.hpp"

namespace bluegreen::core {

inline std::uint32_t pick_round_robin(const Field& field, Tried tried) noexcept {
  std::uint32_t best = kNoEndpoint;
  std::int64_t total = 0;
  for (std::uint32_t i = 0; i < field.count && i < shm::kMaxEndpoints; ++i) {
    if (!stands(field, i, tried)) {
      continue;
    }
    Candidate& candidate = field.list[i];
    const std::int64_t turn = take_turn(candidate, field.rules, field.now);
    candidate.credit += turn;
    total += turn;
    if (best == kNoEndpoint || candidate.credit > field.list[best].credit) {
      best = i;
    }
  }
  if (best != kNoEndpoint) {
    field.list[best].credit -= total;
  }
  return best;
}

}  // namespace bluegreen::core
