// How long something took, counted in buckets: log-linear, so that an answer is at most 3.2 % from
// the value that was counted (from 64 microseconds on; below, at most 2 microseconds).
//
// Bucket b of 400, in units of 4 microseconds (the bucket's width grows with the value, as in
// HdrHistogram, http://hdrhistogram.org):
//     0..31     [b, b + 1)                                      0 to 128 microseconds
//     32..399   octave o = b / 16 - 1, part p = b % 16:
//               [(16 + p) << o, (16 + p + 1) << o)              128 microseconds to 18 minutes
// What takes longer is in the last one. Every power of two of microseconds from 4 up to 2^29 is an
// edge, so counts "at most 2^n" are exact.
//
// One writer (a worker, in its own slot), relaxed stores; any reader adds up several writers'. Pure
// functions; any thread; nothing fails.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bluegreen::shm {

inline constexpr std::uint32_t kBuckets = 400;
inline constexpr std::uint64_t kLongestUs = std::uint64_t{1} << 30;  // and above: the last bucket

constexpr std::uint32_t bucket_of(std::uint64_t us) noexcept {
  const std::uint64_t units = us >> 2;
  if (units < 32) {
    return static_cast<std::uint32_t>(units);
  }
  if (us >= kLongestUs) {
    return kBuckets - 1;
  }
  const auto octave = static_cast<std::uint32_t>(59 - __builtin_clzll(units));
  return (octave << 4) + static_cast<std::uint32_t>(units >> octave);
}

// The bucket's first value, microseconds; of bucket kBuckets: where the last one ends.
constexpr std::uint64_t bucket_begin(std::uint32_t bucket) noexcept {
  if (bucket < 32) {
    return std::uint64_t{bucket} << 2;
  }
  const std::uint32_t octave = bucket / 16 - 1;
  return (std::uint64_t{16} + bucket % 16) << octave << 2;
}
static_assert(bucket_begin(kBuckets) == kLongestUs && bucket_of(kLongestUs - 1) == kBuckets - 1);

// The middle of the bucket that the value lies in which so many per mille of `count` values are at
// most. `counts`: kBuckets of them, added up; 0 when they are fewer than they are said to be.
inline std::uint64_t quantile_us(const std::uint64_t* counts, std::uint64_t count,
                                 std::uint32_t per_mille) noexcept {
  const std::uint64_t rank = count / 1000 * per_mille + (count % 1000 * per_mille + 999) / 1000;
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < kBuckets; ++i) {
    seen += counts[i];
    if (count != 0 && seen >= rank) {
      return (bucket_begin(i) + bucket_begin(i + 1)) / 2;
    }
  }
  return 0;
}

struct Distribution {
  std::atomic<std::uint64_t> sum_us;
  std::atomic<std::uint64_t> buckets[kBuckets];
};
static_assert(sizeof(Distribution) == 8 + kBuckets * 8);

}  // namespace bluegreen::shm
