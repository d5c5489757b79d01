// Smooth weighted round robin over one color's endpoints.
//
// Each pick raises every candidate's credit by its weight, takes the richest, and lowers that one
// by the sum of the candidates' weights: with weights 5, 1, 1 the order is a a b a c a a, not
// a a a a a b c. A request's retries pass a bitmap of the endpoints that it has tried.
//
// Called by the balancer, in a worker; the credits are the worker's own, one thread. Bounded by
// kMaxEndpoints steps; kNoEndpoint when every endpoint has been tried.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shm/limits.hpp"

namespace bluegreen::core {

using Tried = std::uint32_t;  // bit i: endpoint i was tried by this request
static_assert(shm::kMaxEndpoints <= 32);

inline constexpr std::uint32_t kNoEndpoint = shm::kMaxEndpoints;

struct Share {
  std::int64_t credit = 0;
  std::int64_t weight = 1;
};

inline std::uint32_t pick(Share* shares, std::uint32_t count, Tried tried) noexcept {
  if (count == 1) {
    return (tried & 1U) == 0 ? 0 : kNoEndpoint;
  }
  std::uint32_t best = kNoEndpoint;
  std::int64_t total = 0;
  for (std::uint32_t i = 0; i < count && i < shm::kMaxEndpoints; ++i) {
    if ((tried & (Tried{1} << i)) != 0) {
      continue;
    }
    shares[i].credit += shares[i].weight;
    total += shares[i].weight;
    if (best == kNoEndpoint || shares[i].credit > shares[best].credit) {
      best = i;
    }
  }
  if (best != kNoEndpoint) {
    shares[best].credit -= total;
  }
  return best;
}

}  // namespace bluegreen::core
