// Unit tests of statistics.hpp, against values that others have published or that were computed
// with exact rational arithmetic (Python's fractions) once.
#include "controller/canary/statistics.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "shm/histogram.hpp"

using namespace bluegreen;
using namespace bluegreen::canary;

namespace {

std::vector<std::uint64_t> histogram_of(const std::vector<std::uint64_t>& values_us) {
  std::vector<std::uint64_t> counts(shm::kBuckets);
  for (const std::uint64_t us : values_us) {
    ++counts[shm::bucket_of(us)];
  }
  return counts;
}

}  // namespace

TEST_CASE("Fisher's tail is that of his tea tasting") {
  // Four cups of eight had milk first; three of the four named were right: 17/70.
  CHECK(fisher_tail({3, 4}, {1, 4}) == Approx(17.0 / 70));
  CHECK(fisher_tail({4, 4}, {0, 4}) == Approx(1.0 / 70));
  CHECK(fisher_tail({0, 4}, {4, 4}) == Approx(1.0));
}

TEST_CASE("Fisher's tail of canary-sized counts is exact") {
  // C(40,2)/C(400,2): both errors are on the side that has a tenth of the requests.
  CHECK(fisher_tail({2, 40}, {0, 360}) == Approx(40.0 * 39 / (400.0 * 399)).epsilon(1e-9));
  CHECK(fisher_tail({10, 200}, {0, 200}) == Approx(8.702588772449783e-4).epsilon(1e-9));
  CHECK(fisher_tail({0, 200}, {0, 200}) == 1.0);
}

TEST_CASE("two proportions by z with Yates' correction") {
  // (0.06 - 0.04 - 0.001) / sqrt(0.05 * 0.95 * 0.002) = 1.9493587: upper tail 0.0256264
  CHECK(proportion_tail({60, 1000}, {40, 1000}) == Approx(0.0256264).epsilon(1e-3));
  CHECK(proportion_tail({40, 1000}, {60, 1000}) == 1.0);
  CHECK(proportion_tail({0, 1000}, {0, 1000}) == 1.0);
}

TEST_CASE("the exact test is taken where a count is small, and both agree where it is not") {
  CHECK(more_errors({5, 100}, {0, 900}).exact);
  const Test large = more_errors({150, 2000}, {100, 2000});
  CHECK_FALSE(large.exact);
  CHECK(large.p == Approx(fisher_tail({150, 2000}, {100, 2000})).epsilon(0.15));
}

TEST_CASE("counts that make no sense prove nothing") {
  for (const Rate rate : {Rate{0, 0}, Rate{5, 3}}) {
    CHECK(fisher_tail(rate, {1, 10}) == 1.0);
    CHECK(proportion_tail({1, 10}, rate) == 1.0);
  }
}

TEST_CASE("binomial tail at its edges and in the middle") {
  CHECK(binomial_tail(0, 10, 0.5) == 1.0);
  CHECK(binomial_tail(11, 10, 0.5) == 0.0);
  CHECK(binomial_tail(10, 10, 0.5) == Approx(std::pow(0.5, 10)));
  CHECK(binomial_tail(6, 10, 0.5) == Approx(386.0 / 1024));
  CHECK(binomial_tail(1, 100, 0.01) == Approx(1 - std::pow(0.99, 100)));
}

TEST_CASE("bounds of a median are the order statistics of the textbook") {
  // n = 10: P(B >= 2) = 1 - 11/1024, P(B >= 9) = 11/1024 for B ~ Bin(10, 1/2), so the second and
  // the ninth value are bounds of 1.07 % each.
  std::vector<std::uint64_t> values;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    values.push_back(i * 1'000'000);
  }
  const Bounds bounds = quantile_bounds(histogram_of(values), 0.5, 0.011);
  REQUIRE(bounds.at_least);
  REQUIRE(bounds.at_most);
  CHECK(*bounds.at_least <= 2'000'000);
  CHECK(*bounds.at_least > 1'900'000);
  CHECK(*bounds.at_most > 9'000'000);
  CHECK(*bounds.at_most < 9'600'000);
}

TEST_CASE("too few values give no bound") {
  const auto few = histogram_of(std::vector<std::uint64_t>(20, 5'000));
  CHECK(quantile_bounds(few, 0.5, 0.01).at_most);
  CHECK_FALSE(quantile_bounds(few, 0.99, 0.01).at_most);  // none of 20 is surely above the p99
  CHECK_FALSE(quantile_bounds(histogram_of({}), 0.5, 0.01).at_least);
  CHECK_FALSE(quantile_bounds({}, 0.5, 0.01).at_least);
}

TEST_CASE("what lies in the last bucket has no upper bound") {
  const auto stuck = histogram_of(std::vector<std::uint64_t>(100, shm::kLongestUs * 2));
  const Bounds bounds = quantile_bounds(stuck, 0.5, 0.01);
  CHECK(bounds.at_least);
  CHECK_FALSE(bounds.at_most);
}

TEST_CASE("bounds cover the quantile as often as they say") {
  std::mt19937_64 draw(20261201);
  std::lognormal_distribution<double> latency(std::log(30'000), 1.2);
  for (const double quantile : {0.5, 0.9, 0.99}) {
    // Of the log-normal distribution: z of the quantile.
    const double z = quantile == 0.5 ? 0 : quantile == 0.9 ? 1.2815516 : 2.3263479;
    const double truth = 30'000 * std::exp(1.2 * z);
    int below = 0;
    int above = 0;
    constexpr int kRuns = 1000;
    for (int run = 0; run < kRuns; ++run) {
      std::vector<std::uint64_t> values(300);
      for (std::uint64_t& value : values) {
        value = static_cast<std::uint64_t>(latency(draw));
      }
      const Bounds bounds = quantile_bounds(histogram_of(values), quantile, 0.05);
      below += bounds.at_least && static_cast<double>(*bounds.at_least) > truth ? 1 : 0;
      above += bounds.at_most && static_cast<double>(*bounds.at_most) < truth ? 1 : 0;
    }
    CAPTURE(quantile, below, above);
    CHECK(below <= 70);  // 5 % of 1000 and three standard deviations
    CHECK(above <= 70);
    CHECK(below + above > 10);  // and not by being of no use
  }
}
