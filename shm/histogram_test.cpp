// Buckets of a distribution: edges, and how far an answer can be from what was counted.
#include "shm/histogram.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace bluegreen::shm;

TEST_CASE("Histogram buckets follow each other without a gap") {
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    INFO(bucket);
    const std::uint64_t begin = bucket_begin(bucket);
    const std::uint64_t end = bucket_begin(bucket + 1);
    REQUIRE(begin < end);
    CHECK(bucket_of(begin) == bucket);
    CHECK(bucket_of(end - 1) == bucket);
  }
  CHECK(bucket_begin(0) == 0);
}

TEST_CASE("Histogram answer is near every value that was counted") {
  for (std::uint64_t us = 0; us < kLongestUs; us += 1 + us / 97) {
    const std::uint32_t bucket = bucket_of(us);
    const std::uint64_t middle = (bucket_begin(bucket) + bucket_begin(bucket + 1)) / 2;
    const std::uint64_t error = middle > us ? middle - us : us - middle;
    INFO(us);
    REQUIRE(static_cast<double>(error) <= std::max(2.0, 0.032 * static_cast<double>(us)));
  }
}

TEST_CASE("Histogram has an edge at each power of two microseconds from 4 on") {
  for (std::uint64_t us = 4; us <= kLongestUs / 2; us *= 2) {
    CHECK(bucket_begin(bucket_of(us)) == us);
  }
}

TEST_CASE("Histogram counts what is too long in the last bucket") {
  CHECK(bucket_of(kLongestUs) == kBuckets - 1);
  CHECK(bucket_of(~std::uint64_t{0}) == kBuckets - 1);
}
