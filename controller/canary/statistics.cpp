// See statistics.hpp.
#include "controller/canary/statistics.hpp"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <numeric>

#include "shm/histogram.hpp"

namespace bluegreen::canary {
namespace {

// Under this, an expected count is small: Cochran's rule, doubled (W. G. Cochran, "Some methods for
// strengthening the common chi-square tests", Biometrics 10 (1954) 417-451).
constexpr double kSmallCount = 10;

bool makes_sense(const Rate& rate) {
  return rate.total > 0 && rate.errors <= rate.total;
}

double log_choose(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

// The largest k with P(X >= k) >= least, X ~ Bin(n, p): 0 at the least.
std::uint64_t largest_with_tail(std::uint64_t n, double p, double least) {
  std::uint64_t low = 0;
  std::uint64_t high = n;
  while (low < high) {
    const std::uint64_t middle = low + (high - low + 1) / 2;
    if (binomial_tail(middle, n, p) >= least) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// The bucket of the value with this rank, from 1 on.
std::uint32_t bucket_of_rank(std::span<const std::uint64_t> counts, std::uint64_t rank) {
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < counts.size(); ++i) {
    seen += counts[i];
    if (seen >= rank) {
      return i;
    }
  }
  return static_cast<std::uint32_t>(counts.size()) - 1;
}

}  // namespace

double fisher_tail(const Rate& suspect, const Rate& reference) {
  if (!makes_sense(suspect) || !makes_sense(reference)) {
    return 1;
  }
  const std::uint64_t errors = suspect.errors + reference.errors;
  const auto n = static_cast<double>(suspect.total);
  const auto m = static_cast<double>(reference.total);
  const double all = log_choose(n + m, static_cast<double>(errors));
  double p = 0;
  for (std::uint64_t k = suspect.errors; k <= std::min(errors, suspect.total); ++k) {
    if (errors - k > reference.total) {
      continue;
    }
    const double term = std::exp(log_choose(n, static_cast<double>(k)) +
                                 log_choose(m, static_cast<double>(errors - k)) - all);
    p += term;
    // Behind the mode the terms only fall.
    if (term < p * 1e-12 && static_cast<double>(k) * (n + m) > static_cast<double>(errors) * n) {
      break;
    }
  }
  return std::min(p, 1.0);
}

double proportion_tail(const Rate& suspect, const Rate& reference) {
  if (!makes_sense(suspect) || !makes_sense(reference)) {
    return 1;
  }
  const auto n = static_cast<double>(suspect.total);
  const auto m = static_cast<double>(reference.total);
  const double pooled = static_cast<double>(suspect.errors + reference.errors) / (n + m);
  const double deviation = std::sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
  const double correction = (1 / n + 1 / m) / 2;
  const double excess = suspect.share() - reference.share() - correction;
  if (deviation == 0 || excess <= 0) {
    return 1;
  }
  return std::erfc(excess / deviation / std::sqrt(2.0)) / 2;
}

Test more_errors(const Rate& suspect, const Rate& reference) {
  const double all = static_cast<double>(suspect.total) + static_cast<double>(reference.total);
  const double errors = static_cast<double>(suspect.errors + reference.errors);
  const double fewer = static_cast<double>(std::min(suspect.total, reference.total));
  const double expected = all > 0 ? std::min(errors, all - errors) * fewer / all : 0;
  const bool exact = expected < kSmallCount;
  return {exact ? fisher_tail(suspect, reference) : proportion_tail(suspect, reference), exact};
}

double binomial_tail(std::uint64_t k, std::uint64_t n, double p) {
  if (k == 0 || p >= 1) {
    return 1;
  }
  if (k > n || p <= 0) {
    return 0;
  }
  return boost::math::ibeta(static_cast<double>(k), static_cast<double>(n - k) + 1, p);
}

Bounds quantile_bounds(std::span<const std::uint64_t> counts, double quantile, double alpha) {
  Bounds bounds;
  const std::uint64_t n = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (n == 0 || counts.size() != shm::kBuckets) {
    return bounds;
  }
  // Of n values, B ~ Bin(n, q) are at most the quantile. The l-th is not above it when B >= l.
  const std::uint64_t lower = largest_with_tail(n, quantile, 1 - alpha);
  if (lower > 0) {
    bounds.at_least = shm::bucket_begin(bucket_of_rank(counts, lower));
  }
  // The u-th is not below it when B < u: the smallest u with P(B >= u) <= alpha.
  const std::uint64_t upper = largest_with_tail(n, quantile, alpha) + 1;
  if (upper <= n) {
    const std::uint32_t bucket = bucket_of_rank(counts, upper);
    // The last bucket has no end.
    if (bucket + 1 < shm::kBuckets) {
      bounds.at_most = shm::bucket_begin(bucket + 1);
    }
  }
  return bounds;
}

}  // namespace bluegreen::canary
