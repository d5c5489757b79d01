// What a color did in a stretch of time: the difference of two of its totals.
//
// Totals are sums over all worker slots of the telemetry. They only grow, also when a slot gets a
// new owner, but they begin at 0 again with a new telemetry file (a reboot; its id is another one),
// and a damaged one may say anything. A window over such a break is worth nothing and does not
// exist; it is never negative.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/canary/statistics.hpp"

namespace bluegreen::canary {

struct Totals {
  std::uint64_t telemetry_id = 0;
  std::uint64_t ended = 0;             // requests
  std::uint64_t errors = 0;            // of these: 5xx, or no response at all
  std::uint64_t previews = 0;          // begun with a preview's secret: by ourselves, no users
  std::vector<std::uint64_t> latency;  // counts by shm/histogram.hpp; empty: not kept
};

struct Window {
  std::uint64_t ended = 0;
  std::uint64_t errors = 0;
  std::uint64_t users = 0;  // of `ended`, at the least
  std::vector<std::uint64_t> latency;

  Rate rate() const { return {errors, ended}; }
  std::uint64_t answers() const;  // in `latency`
};

// None: the figures did not go on from `from`.
std::optional<Window> window_between(const Totals& from, const Totals& to);

// In few characters, for a journal: "ended errors users bucket:count ...". Empty histograms are
// told from those that are not kept by a '-'.
std::string text_of(const Window& window);
std::optional<Window> window_from(const std::string& text);

}  // namespace bluegreen::canary
