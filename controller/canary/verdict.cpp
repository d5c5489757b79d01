// See verdict.hpp.
#include "controller/canary/verdict.hpp"

#include <array>
#include <cstdio>

namespace bluegreen::canary {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

Finding worse(std::string why) {
  return {Outcome::kFail, std::move(why)};
}

std::uint32_t checks_of(const Limits& limits) {
  auto count = static_cast<std::uint32_t>(1 + kQuantiles.size() + (limits.max_error_rate ? 1 : 0));
  for (const std::uint64_t limit : limits.max_latency_us) {
    count += limit != 0 ? 1 : 0;
  }
  return count;
}

Finding check_error_limit(const Sides& sides, const Limits& limits, double alpha) {
  if (!limits.max_error_rate || sides.suspect.ended == 0) {
    return {};
  }
  const Rate rate = sides.suspect.rate();
  const double p = binomial_tail(rate.errors, rate.total, *limits.max_error_rate);
  if (p > alpha || rate.share() <= *limits.max_error_rate) {
    return {};
  }
  return worse(sides.suspect_name + " fails above the limit: " + rate_text(rate) +
               " requests, at most " + format("%.2f %%", *limits.max_error_rate * 100) +
               " are allowed" + format(" (binomial test, p = %.1e)", p));
}

Finding check_errors(const Sides& sides, const Limits& limits, double alpha) {
  const Rate suspect = sides.suspect.rate();
  const Rate reference = sides.reference->rate();
  const Test test = more_errors(suspect, reference);
  if (test.p > alpha || suspect.share() - reference.share() < limits.error_tolerance) {
    return {};
  }
  return worse(sides.suspect_name + " fails more often: " + rate_text(suspect) +
               " requests against " + rate_text(reference) + " of " + sides.reference_name + " (" +
               (test.exact ? "Fisher's exact test" : "two-proportion test") +
               format(", p = %.1e)", test.p));
}

// "p90 of 412 answers".
std::string quantile_text(const Sides& sides, std::size_t which) {
  return std::string(kQuantileNames[which]) + " of " + std::to_string(sides.suspect.answers()) +
         " answers";
}

Finding check_latency_limit(const Sides& sides, std::size_t which, std::uint64_t limit_us,
                            double alpha) {
  const Bounds bounds = quantile_bounds(sides.suspect.latency, kQuantiles[which], alpha);
  if (limit_us == 0 || !bounds.at_least || *bounds.at_least <= limit_us) {
    return {};
  }
  return worse(sides.suspect_name + " is slower than the limit: " + quantile_text(sides, which) +
               " is at least " + time_text(*bounds.at_least) + ", at most " + time_text(limit_us) +
               " is allowed");
}

Finding check_latency(const Sides& sides, const Limits& limits, std::size_t which, double alpha) {
  const Bounds suspect = quantile_bounds(sides.suspect.latency, kQuantiles[which], alpha / 2);
  const Bounds reference = quantile_bounds(sides.reference->latency, kQuantiles[which], alpha / 2);
  if (!suspect.at_least || !reference.at_most) {
    return {};
  }
  const double allowed = static_cast<double>(*reference.at_most) * (1 + limits.latency_tolerance) +
                         static_cast<double>(limits.latency_slack_us);
  if (static_cast<double>(*suspect.at_least) <= allowed) {
    return {};
  }
  return worse(sides.suspect_name + " is slower: " + quantile_text(sides, which) + " is at least " +
               time_text(*suspect.at_least) + ", that of " + sides.reference_name + " at most " +
               time_text(*reference.at_most));
}

std::string too_few(const std::string& name, std::uint64_t requests, const Limits& limits) {
  return name + " had " + std::to_string(requests) + " requests, " +
         std::to_string(limits.min_requests) + " are needed to tell";
}

}  // namespace

std::string rate_text(const Rate& rate) {
  return std::to_string(rate.errors) + " of " + std::to_string(rate.total) +
         format(" (%.2f %%)", rate.share() * 100);
}

std::string time_text(std::uint64_t us) {
  const double ms = static_cast<double>(us) / 1000;
  return ms < 10       ? format("%.1f ms", ms)
         : ms < 10'000 ? format("%.0f ms", ms)
                       : format("%.1f s", ms / 1000);
}

Finding judge(const Sides& sides, const Limits& limits, double alpha) {
  const double each = alpha / checks_of(limits);
  if (Finding found = check_error_limit(sides, limits, each); found.outcome == Outcome::kFail) {
    return found;
  }
  if (sides.reference != nullptr) {
    if (Finding found = check_errors(sides, limits, each); found.outcome == Outcome::kFail) {
      return found;
    }
  }
  const bool is_warm = sides.suspect.users >= limits.min_requests;
  for (std::size_t i = 0; is_warm && i < kQuantiles.size(); ++i) {
    Finding found = check_latency_limit(sides, i, limits.max_latency_us[i], each);
    if (found.outcome != Outcome::kFail && sides.reference != nullptr) {
      found = check_latency(sides, limits, i, each);
    }
    if (found.outcome == Outcome::kFail) {
      return found;
    }
  }
  return {Outcome::kUndecided, "nothing worse was found so far"};
}

Finding judge_at_end(const Sides& sides, const Limits& limits, double alpha) {
  Finding found = judge(sides, limits, alpha);
  if (found.outcome == Outcome::kFail) {
    return found;
  }
  if (sides.suspect.users < limits.min_requests) {
    return {Outcome::kUndecided, too_few(sides.suspect_name, sides.suspect.users, limits)};
  }
  const std::string errors = sides.suspect_name + " failed " + rate_text(sides.suspect.rate());
  if (sides.reference == nullptr) {
    return {Outcome::kPass, errors + " requests, within the limits"};
  }
  if (sides.reference->ended < limits.min_requests) {
    return {Outcome::kUndecided, too_few(sides.reference_name, sides.reference->ended, limits)};
  }
  return {Outcome::kPass, errors + " requests, " + sides.reference_name + " " +
                              rate_text(sides.reference->rate()) +
                              "; neither errors nor latency are worse"};
}

}  // namespace bluegreen::canary
