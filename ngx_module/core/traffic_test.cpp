// Sums of answers and latencies: see traffic.hpp.
#include "ngx_module/core/traffic.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen;

TEST_CASE("Percentiles are within 5 % of the exact ones, and edges count exactly") {
  core::Buckets buckets;
  for (std::uint64_t us = 1000; us <= 100000; us += 100) {
    ++buckets.counts[shm::bucket_of(us)];
    buckets.sum_us += us;
  }
  const core::Latency latency = core::latency_of(buckets);
  CHECK(latency.count == 991);
  CHECK(latency.sum_us == 991 * 50500);
  CHECK(static_cast<double>(latency.p50_us) == Approx(50500).epsilon(0.05));
  CHECK(static_cast<double>(latency.p90_us) == Approx(90100).epsilon(0.05));
  CHECK(static_cast<double>(latency.p99_us) == Approx(99100).epsilon(0.05));
  CHECK(latency.below[0] == 0);   // 256 us
  CHECK(latency.below[3] == 11);  // 2048 us: 1000 to 2000
  CHECK(latency.below[core::kEdges - 1] == 991);
}

TEST_CASE("Latencies of nothing are zero") {
  const core::Latency latency = core::latency_of(core::Buckets());
  CHECK(latency.count == 0);
  CHECK(latency.p99_us == 0);
}

TEST_CASE("Figures of two workers are added up") {
  static shm::Counters counters;
  static shm::ColorDetail detail;
  counters.responses[4] = 2;
  counters.tries = 3;
  detail.timeouts = 5;
  detail.bytes_in = 7;
  detail.total.buckets[9] = 1;
  core::Figures counts;
  core::Traffic sum;
  core::Buckets buckets[core::kPhases];
  for (int i = 0; i < 2; ++i) {
    core::add(counts, counters, true);
    core::add(sum, buckets, detail);
  }
  CHECK(counts.responses[4] == 4);
  CHECK(counts.tries == 6);
  CHECK(sum.timeouts == 10);
  CHECK(sum.bytes_in == 14);
  CHECK(buckets[2].counts[9] == 2);
}
