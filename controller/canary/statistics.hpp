// The tests that a verdict rests on, as functions of counts. All are one-sided, and exact or on the
// safe side: a p-value is never smaller than the test's own, a bound never tighter.
//
//   fisher_tail       Fisher's exact test. Given all errors of both sides, the errors of one side
//                     are hypergeometric; the p-value is the tail from the observed count on.
//                     R. A. Fisher, "On the interpretation of chi-square from contingency tables,
//                     and the calculation of P", J. Royal Stat. Soc. 85 (1922) 87-94.
//   proportion_tail   Two proportions by z with the pooled variance and Yates' continuity
//                     correction. F. Yates, "Contingency tables involving small numbers and the
//                     chi-square test", Suppl. J. Royal Stat. Soc. 1 (1934) 217-235; Fleiss, Levin,
//                     Paik, "Statistical Methods for Rates and Proportions", 3rd ed., 3.1.
//   more_errors       Fisher's where a count that is expected is small, else the other one.
//   binomial_tail     P(X >= k), X ~ Bin(n, p), by the incomplete beta function:
//                     Abramowitz, Stegun 26.5.24. The exact test of a rate against a fixed limit
//                     (C. Clopper, E. S. Pearson, Biometrika 26 (1934) 404-413).
//   quantile_bounds   Confidence bounds of a quantile by order statistics, for any distribution:
//                     as many of n values lie under the q-quantile as Bin(n, q) says. H. A. David,
//                     H. N. Nagaraja, "Order Statistics", 3rd ed., 7.1; Conover, "Practical
//                     Nonparametric Statistics", 3rd ed., 3.2. The values are known by their
//                     histogram's bucket: a lower bound is where its bucket begins, an upper one
//                     where it ends, so the bucket's width (3.2 %, shm/histogram.hpp) is in it.
//
// Pure; any thread; nothing fails. Arguments that make no sense (more errors than requests, nothing
// at all) answer 1, or no bound.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace bluegreen::canary {

// Of `total` requests, `errors` failed.
struct Rate {
  std::uint64_t errors = 0;
  std::uint64_t total = 0;
  double share() const {
    return total == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(total);
  }
};

double fisher_tail(const Rate& suspect, const Rate& reference);
double proportion_tail(const Rate& suspect, const Rate& reference);

struct Test {
  double p = 1;  // that at least so many more errors come by chance
  bool exact = true;
};
Test more_errors(const Rate& suspect, const Rate& reference);

double binomial_tail(std::uint64_t k, std::uint64_t n, double p);

// Microseconds. A bound that so few values do not give is absent.
struct Bounds {
  std::optional<std::uint64_t> at_least;
  std::optional<std::uint64_t> at_most;
};

// `counts`: of a histogram as in shm/histogram.hpp, added up. Each bound is wrong with at most
// `alpha`.
Bounds quantile_bounds(std::span<const std::uint64_t> counts, double quantile, double alpha);

}  // namespace bluegreen::canary
