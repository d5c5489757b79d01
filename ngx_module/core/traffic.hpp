// Answers, errors, bytes and latencies of one color, summed over the workers' slots, for the status
// document.
//
// Called by the status handler, in a worker. Reads with relaxed order (each figure counts alone, in
// pairs with the owners' relaxed stores); nothing fails.
#pragma once

#include <atomic>
#include <cstdint>

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
  std::uint64_t responses[5] = {};
  std::uint64_t no_response = 0;
  std::uint64_t tries = 0;
  std::uint64_t failures = 0;
  std::uint64_t retries = 0;
  std::uint64_t connect_errors = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t other_errors = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  Latency latency[kPhases];
  const Buckets* buckets = nullptr;  // of kPhases, when they are to be shown
};

inline std::uint64_t shown(const std::atomic<std::uint64_t>& figure) noexcept {
  return figure.load(std::memory_order_relaxed);  // pairs with its owner's store, see above
}

inline void add(Buckets& sum, const shm::Distribution& distribution) noexcept {
  sum.sum_us += shown(distribution.sum_us);
  for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
    sum.counts[i] += shown(distribution.buckets[i]);
  }
}

inline void add(Traffic& sum, const shm::Counters& counters) noexcept {
  for (std::size_t i = 0; i < 5; ++i) {
    sum.responses[i] += shown(counters.responses[i]);
  }
  sum.no_response += shown(counters.no_response);
  sum.tries += shown(counters.tries);
  sum.failures += shown(counters.failures);
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

// The middle of the bucket that the value of this rank, from 1, is in.
inline std::uint64_t value_at(const Buckets& buckets, std::uint64_t rank) noexcept {
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
    seen += buckets.counts[i];
    if (seen >= rank) {
      return (shm::bucket_begin(i) + shm::bucket_begin(i + 1)) / 2;
    }
  }
  return shm::kLongestUs;
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
  if (out.count != 0) {
    const auto rank = [&out](std::uint64_t percent) noexcept {
      return out.count / 100 * percent + (out.count % 100 * percent + 99) / 100;
    };
    out.p50_us = value_at(buckets, rank(50));
    out.p90_us = value_at(buckets, rank(90));
    out.p99_us = value_at(buckets, rank(99));
  }
  return out;
}

}  // namespace bluegreen::core
