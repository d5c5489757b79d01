// Whether a new release is worse than the old one, by what both did in a window.
//
// `judge` looks once, and says "worse" with the confidence that it was given; Looks says when to
// look, and what each look may cost, so that looking often does not make false alarms frequent:
// look k may be wrong with alpha / (k (k + 1)), which adds up to at most alpha over any number of
// looks (the union bound; a spending function as in K. K. G. Lan, D. L. DeMets, "Discrete
// sequential boundaries for clinical trials", Biometrika 70 (1983) 659-663). It looks when the new
// side has twice the requests of the look before, and at the end.
//
// A look's alpha is shared equally by its checks (Bonferroni):
//   errors         more than on the old side (more_errors), and by more than `error_tolerance`
//   latency        p50, p90, p99: the new side's lower bound above the old side's upper bound, more
//                  than `latency_tolerance` and `latency_slack_us` beyond it. Each bound has half
//                  of the check's alpha
//   error limit    the exact binomial test of `max_error_rate`
//   latency limit  a quantile's lower bound above `max_latency_us`
// A check without figures, or with too few of them for a bound, is unsure, and says nothing; so do
// those of latency before `min_requests`, because the first answers of a release that has just been
// started are slow. Errors need no minimum to be certain.
//
// Pure; any thread; nothing fails.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "controller/canary/window.hpp"

namespace bluegreen::canary {

inline constexpr std::array<double, 3> kQuantiles{0.5, 0.9, 0.99};
inline constexpr std::array<const char*, 3> kQuantileNames{"p50", "p90", "p99"};

struct Limits {
  double alpha = 0.01;  // of all looks together
  std::uint64_t min_requests = 50;
  double error_tolerance = 0.001;  // a difference of shares
  double latency_tolerance = 0.2;  // of the old side's quantile
  std::uint64_t latency_slack_us = 10'000;
  std::optional<double> max_error_rate;
  std::array<std::uint64_t, 3> max_latency_us{};  // by kQuantiles; 0: no limit
};

enum class Outcome : std::uint8_t { kPass, kFail, kUndecided };

struct Finding {
  Outcome outcome = Outcome::kUndecided;
  std::string why;  // one sentence without its stop
};

// The two sides, with what people call them. The reference may be an earlier window of the old
// side: `reference_name` says so.
struct Sides {
  const Window& suspect;
  std::string suspect_name;
  const Window* reference = nullptr;  // null: nothing to compare with, limits only
  std::string reference_name;
};

// One look that may be wrong with `alpha`: fail, or undecided because nothing was found.
Finding judge(const Sides& sides, const Limits& limits, double alpha);

// The last look: fail; pass; or undecided when either side has fewer than `min_requests`.
Finding judge_at_end(const Sides& sides, const Limits& limits, double alpha);

class Looks {
 public:
  // `used`: looks that were taken before, in earlier stages of the same deploy.
  explicit Looks(double alpha, std::uint32_t used = 0) : alpha_(alpha), used_(used) {}

  bool due(std::uint64_t requests) const { return requests >= next_; }
  // What the look may cost that is taken now, with so many requests.
  double take(std::uint64_t requests) {
    ++used_;
    next_ = requests < kFirst ? kFirst : requests * 2;
    return alpha_ / (static_cast<double>(used_) * (used_ + 1.0));
  }
  // New requests are counted from 0 again.
  void restart() { next_ = kFirst; }
  std::uint32_t used() const { return used_; }

 private:
  static constexpr std::uint64_t kFirst = 10;
  double alpha_;
  std::uint32_t used_;
  std::uint64_t next_ = kFirst;
};

// "21 of 412 (5.1 %)", "104 ms": as sentences have them.
std::string rate_text(const Rate& rate);
std::string time_text(std::uint64_t us);

}  // namespace bluegreen::canary
