// Watches two colors' traffic and judges it by controller/canary: what the canary's stages and the
// soak have in common.
//
// Looks at the telemetry at each call of `look`, so its caller decides how often; it says when a
// verdict is due by the rules of canary/verdict.hpp. The looks that were taken are kept in
// Deploy::facts, so that all stages of a deploy, and a recovery, share one alpha. A break in the
// counters (a reboot, another telemetry file) begins the window anew and says so in a note.
//
// Used by steps/canary.cpp and steps/flip.cpp. Telemetry that cannot be read is no error: then
// there is no traffic, and the choice for too few requests decides.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "controller/canary/verdict.hpp"
#include "controller/deploy/step.hpp"

namespace bluegreen {

canary::Limits limits_of(const AnalysisConfig& config, std::uint64_t min_requests);

// What a color has done so far; none when telemetry does not say.
std::optional<canary::Totals> totals_of(Deploy& deploy, Color color);

// Remembers the old color's totals now, where a soak will ask for them; at first call only, so that
// its window is as long as the deploy has been.
void begin_baseline(Deploy& deploy);
// Puts the old color's window from there until now into the facts, for the soak.
void record_baseline(Deploy& deploy);
std::optional<canary::Window> baseline_of(const Deploy& deploy);

class TrafficWatch {
 public:
  // `baseline`: compare with this earlier window of the old color, not with what it does meanwhile.
  TrafficWatch(Deploy& deploy, std::string_view step, std::uint64_t min_requests,
               std::optional<canary::Window> baseline = std::nullopt);

  // One look at the figures. Fail as soon as that is certain; otherwise undecided.
  canary::Finding look();
  // The last one: too few requests are what the configuration makes of them.
  canary::Finding end();
  // "green 5%: 412 requests, 21 errors (5.10 %), p90 104 ms; blue: ...": for people, at most once a
  // second. `split`: what is said of the traffic's share, as in "5% to green".
  void note(const std::string& split);

 private:
  void read();
  canary::Finding judged(bool last);

  Deploy& deploy_;
  std::string_view step_;
  canary::Limits limits_;
  std::optional<canary::Window> baseline_;
  std::optional<canary::Totals> begin_[2];  // [0] of the new color, [1] of the old one
  canary::Window now_[2];
  canary::Looks looks_;
  Deadline noted_;
  bool has_noted_ = false;
};

}  // namespace bluegreen
