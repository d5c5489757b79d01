// Errors by cause, bytes and latencies of one color, summed over the workers' slots, for the status
// document.
//
// Called by the status handler, in a worker. Reads with relaxed order (each figure counts alone, in
// pairs with the owners' relaxed stores); nothing fails.
#pragma once

#include <cstdint>

#include "ngx_module/core/figures.hpp"
#include "shm/telemetry_detail.hpp"

namespace bluegreen::core {

inline constexpr std::uint32_t kFirstEdge = 8;  // powers of two of microseconds: 256 us
inline constexpr std::uint32_t kEdges = 17;     // up to 16.8 s

struct Buckets {
  std::uint64_t counts[shm::kBuckets] = {};
  std::uint64_t sum_us = 0;
};

struct Latency {
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;
  std::uint64_t p50_us = 0;
  std::uint64_t p90_us = 0;
  std::uint64_t p99_us = 0;
  std::uint64_t below[kEdges] = {};  // of `count`, below 2^(kFirstEdge + i) microseconds
};

inline constexpr std::size_t kPhases = 3;  // connect, first byte, total

struct Traffic {
  std::uint64_t retries = 0;
  std::uint64_t connect_errors = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t other_errors = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  Latency latency[kPhases];
  const Buckets* buckets = nullptr;  // of kPhases, when they are to be shown
};

inline void add(Buckets& sum, const shm::Distribution& distribution) noexcept {
  sum.sum_us += shown(distribution.sum_us);
  for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
    sum.counts[i] += shown(distribution.buckets[i]);
  }
}

inline void add(Traffic& sum, Buckets (&buckets)[kPhases],
                const shm::ColorDetail& detail) noexcept {
  sum.connect_errors += shown(detail.connect_errors);
  sum.timeouts += shown(detail.timeouts);
  sum.other_errors += shown(detail.other_errors);
  sum.retries += shown(detail.retries);
  sum.bytes_in += shown(detail.bytes_in);
  sum.bytes_out += shown(detail.bytes_out);
  add(buckets[0], detail.connect);
  add(buckets[1], detail.first_byte);
  add(buckets[2], detail.total);
}

inline Latency latency_of(const Buckets& buckets) noexcept {
  Latency out;
  for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
    const std::uint64_t end = shm::bucket_begin(i + 1);
    out.count += buckets.counts[i];
    for (std::uint32_t edge = 0; buckets.counts[i] != 0 && edge < kEdges; ++edge) {
      out.below[edge] += end <= std::uint64_t{1} << (kFirstEdge + edge) ? buckets.counts[i] : 0;
    }
  }
  out.sum_us = buckets.sum_us;
  out.p50_us = shm::quantile_us(buckets.counts, out.count, 500);
  out.p90_us = shm::quantile_us(buckets.counts, out.count, 900);
  out.p99_us = shm::quantile_us(buckets.counts, out.count, 990);
  return out;
}

}  // namespace bluegreen::core
