// See summary.hpp.
#include "tools/loadgen/summary.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace bluegreen::loadgen {

namespace {

using Counts = std::map<std::string, std::uint64_t, std::less<>>;

// No allocation for a word seen before: this runs once a request.
void count(Counts& counts, std::string_view word) {
  const auto known = counts.find(word);
  if (known != counts.end()) {
    ++known->second;
  } else {
    counts.emplace(word, 1);
  }
}

// Microseconds are as fine as a person wants to see.
double rounded(double ms) {
  return std::round(ms * 1000) / 1000;
}

}  // namespace

void Summary::add(const Sample& sample) {
  ++requests_;
  const std::uint64_t took = sample.end_ns - sample.start_ns;
  slowest_ns_ = std::max(slowest_ns_, took);
  if (!sample.error.empty()) {
    ++failed_;
    count(errors_, sample.error);
  }
  if (sample.status != 0) {
    answered_ns_.push_back(took);
  }
  if (!sample.color.empty()) {
    count(by_color_, sample.color);
  }
  if (!sample.release.empty()) {
    count(by_release_, sample.release);
  }
}

void Summary::set_connections(std::uint64_t made, std::uint64_t clients) {
  reconnects_ = made > clients ? made - clients : 0;
}

double Summary::percentile_ms(double share) {
  if (answered_ns_.empty()) {
    return 0;
  }
  const auto rank =
      static_cast<std::size_t>(std::ceil(share * static_cast<double>(answered_ns_.size())));
  const auto at =
      answered_ns_.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(answered_ns_.begin(), at, answered_ns_.end());
  return static_cast<double>(*at) / 1e6;
}

std::string Summary::json() {
  nlohmann::ordered_json out;
  out["requests"] = requests_;
  out["failed"] = failed_;
  out["reconnects"] = reconnects_;
  out["by_color"] = by_color_;
  out["by_release"] = by_release_;
  out["errors"] = errors_;
  out["slowest_ms"] = rounded(static_cast<double>(slowest_ns_) / 1e6);
  out["p50_ms"] = rounded(percentile_ms(0.50));
  out["p99_ms"] = rounded(percentile_ms(0.99));
  out["seconds"] = rounded(seconds_);
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string to_json(const Verdict& verdict) {
  nlohmann::ordered_json out;
  out["requests"] = verdict.requests;
  out["failed"] = verdict.failed;
  out["stale"] = verdict.stale;
  out["last_stale_ms"] = rounded(verdict.last_stale_ms);
  out["flips"] = verdict.flips;
  out["judged"] = verdict.judged;
  out["uncolored"] = verdict.uncolored;
  return out.dump();
}

}  // namespace bluegreen::loadgen
