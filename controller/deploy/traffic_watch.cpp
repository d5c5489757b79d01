// See traffic_watch.hpp.
#include "controller/deploy/traffic_watch.hpp"

#include <algorithm>
#include <charconv>

#include "controller/config/percent.hpp"
#include "shm/histogram.hpp"

namespace bluegreen {
namespace {

constexpr const char* kLooks = "canary_looks";
constexpr const char* kBaselineBegin = "baseline_begin";
constexpr const char* kBaseline = "baseline";

double share_of(std::uint32_t basis_points) {
  return basis_points / 10'000.0;
}

std::uint64_t number_in(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint32_t looks_so_far(const Deploy& deploy) {
  const auto found = deploy.facts.find(kLooks);
  return found == deploy.facts.end() ? 0 : static_cast<std::uint32_t>(number_in(found->second));
}

// "412 requests, 21 errors (5.10 %), p90 104 ms".
std::string figures_text(const canary::Window& window) {
  const std::string rate = canary::rate_text(window.rate());
  std::string text = std::to_string(window.ended) + " requests, " + std::to_string(window.errors) +
                     " errors" + rate.substr(rate.rfind(" ("));
  if (const std::uint64_t count = window.answers(); count != 0) {
    text += ", p90 " + canary::time_text(shm::quantile_us(window.latency.data(), count, 900));
  }
  return text;
}

// The same for a view.
TrafficDetails::Side side_of(Color color, std::uint32_t share_bp, const canary::Window& window,
                             bool baseline) {
  TrafficDetails::Side side;
  side.color = text(color);
  side.share_bp = share_bp;
  side.requests = window.ended;
  side.errors = window.errors;
  side.baseline = baseline;
  if (const std::uint64_t count = window.answers(); count != 0) {
    side.p50_us = shm::quantile_us(window.latency.data(), count, 500);
    side.p90_us = shm::quantile_us(window.latency.data(), count, 900);
    side.p99_us = shm::quantile_us(window.latency.data(), count, 990);
  }
  return side;
}

}  // namespace

canary::Limits limits_of(const AnalysisConfig& config, std::uint64_t min_requests) {
  canary::Limits limits;
  limits.alpha = 1 - share_of(config.confidence);
  limits.min_requests = min_requests;
  limits.error_tolerance = share_of(config.error_tolerance);
  limits.latency_tolerance = share_of(config.latency_tolerance);
  limits.latency_slack_us = static_cast<std::uint64_t>(config.latency_slack.count()) * 1000;
  if (config.max_error_rate) {
    limits.max_error_rate = share_of(*config.max_error_rate);
  }
  for (std::size_t i = 0; i < limits.max_latency_us.size(); ++i) {
    limits.max_latency_us[i] = static_cast<std::uint64_t>(config.max_latency[i].count()) * 1000;
  }
  return limits;
}

std::optional<canary::Totals> totals_of(Deploy& deploy, Color color) {
  auto traffic = deploy.world.telemetry.traffic(deploy.plan.app, color);
  if (!traffic) {
    return std::nullopt;
  }
  canary::Totals totals;
  totals.telemetry_id = traffic->telemetry_id;
  for (const std::uint64_t count : traffic->counts.responses) {
    totals.ended += count;
  }
  totals.errors = traffic->counts.responses[4] + traffic->counts.no_response;
  totals.ended += traffic->counts.no_response;
  totals.previews = traffic->counts.previews;
  totals.latency = std::move(traffic->latency);
  if (color == deploy.plan.idle) {
    // What it could not take, and the other one served in its place: an error that no user saw.
    auto other = deploy.world.telemetry.figures(deploy.plan.app, deploy.plan.active());
    if (!other) {
      return std::nullopt;
    }
    totals.ended += other->fallbacks;
    totals.errors += other->fallbacks;
  }
  return totals;
}

void begin_baseline(Deploy& deploy) {
  if (deploy.config.soak.count() == 0 || deploy.plan.command != "deploy") {
    return;  // nobody will ask for it, and every record of the journal would carry it
  }
  const auto totals = totals_of(deploy, deploy.plan.active());
  if (totals && deploy.facts.count(kBaselineBegin) == 0) {
    // A window from nothing on is the totals themselves.
    const canary::Totals zero{totals->telemetry_id, 0, 0, 0,
                              std::vector<std::uint64_t>(totals->latency.size())};
    deploy.facts[kBaselineBegin] = std::to_string(totals->telemetry_id) + " " +
                                   canary::text_of(*canary::window_between(zero, *totals));
  }
}

void record_baseline(Deploy& deploy) {
  const auto found = deploy.facts.find(kBaselineBegin);
  auto totals = totals_of(deploy, deploy.plan.active());
  if (found == deploy.facts.end() || !totals) {
    return;
  }
  const std::size_t space = found->second.find(' ');
  const std::uint64_t telemetry_id = number_in(found->second);
  const auto begin = canary::window_from(found->second.substr(space + 1));
  deploy.facts.erase(found);
  if (!begin) {
    return;
  }
  const canary::Totals from{telemetry_id, begin->ended, begin->errors, begin->ended - begin->users,
                            begin->latency};
  if (const auto window = canary::window_between(from, *totals)) {
    deploy.facts[kBaseline] = canary::text_of(*window);
  }
}

std::optional<canary::Window> baseline_of(const Deploy& deploy) {
  const auto found = deploy.facts.find(kBaseline);
  return found == deploy.facts.end() ? std::nullopt : canary::window_from(found->second);
}

TrafficWatch::TrafficWatch(Deploy& deploy, std::string_view step, std::uint64_t min_requests,
                           std::optional<canary::Window> baseline)
    : deploy_(deploy),
      step_(step),
      limits_(limits_of(deploy.config.canary.analysis, min_requests)),
      baseline_(std::move(baseline)),
      looks_(limits_.alpha, looks_so_far(deploy)) {
  begin_[0] = totals_of(deploy_, deploy_.plan.idle);
  begin_[1] = totals_of(deploy_, deploy_.plan.active());
}

void TrafficWatch::read() {
  const Color colors[] = {deploy_.plan.idle, deploy_.plan.active()};
  std::optional<canary::Totals> totals[2];
  bool whole = true;
  for (std::size_t i = 0; i < 2; ++i) {
    totals[i] = totals_of(deploy_, colors[i]);
    if (!totals[i]) {
      return;  // as it was; the next look may say more
    }
    const auto window = begin_[i] ? canary::window_between(*begin_[i], *totals[i]) : std::nullopt;
    now_[i] = window.value_or(canary::Window{});
    whole = whole && window.has_value();
  }
  if (!whole) {
    deploy_.note(step_, "the telemetry began anew: what was counted before is not judged");
    for (std::size_t i = 0; i < 2; ++i) {
      begin_[i] = std::move(totals[i]);
      now_[i] = {};
    }
    looks_.restart();
  }
}

canary::Finding TrafficWatch::judged(bool last) {
  const std::string old = text(deploy_.plan.active());
  const bool earlier = baseline_ && now_[1].ended < limits_.min_requests;
  const canary::Sides sides{now_[0], text(deploy_.plan.idle), earlier ? &*baseline_ : &now_[1],
                            earlier ? old + " before the flip" : old};
  const double alpha = looks_.take(now_[0].ended);
  deploy_.facts[kLooks] = std::to_string(looks_.used());
  return last ? canary::judge_at_end(sides, limits_, alpha) : canary::judge(sides, limits_, alpha);
}

canary::Finding TrafficWatch::look() {
  read();
  return looks_.due(now_[0].ended) ? judged(false) : canary::Finding{};
}

canary::Finding TrafficWatch::end() {
  read();
  canary::Finding found = judged(true);
  if (found.outcome == canary::Outcome::kUndecided) {
    const bool passes = deploy_.config.canary.analysis.not_enough == NotEnough::kPass;
    found.outcome = passes ? canary::Outcome::kPass : canary::Outcome::kFail;
    found.why =
        "not enough traffic: " + found.why + "; \"not_enough\" says " + (passes ? "pass" : "fail");
  }
  return found;
}

void TrafficWatch::note(const std::string& split) {
  using std::chrono::seconds;
  const Deadline now = deploy_.world.clock.now();
  if (has_noted_ && now - noted_ < seconds(1)) {
    return;
  }
  has_noted_ = true;
  noted_ = now;
  const auto route = deploy_.world.control.read(deploy_.plan.app);
  constexpr std::uint32_t kWhole = 10'000;
  const std::uint32_t weight = route ? route->route.weight : 0;
  const bool flipped = route && route->route.active == deploy_.plan.idle;
  const std::uint32_t share = flipped ? kWhole - weight : weight;
  TrafficDetails details;
  details.sides = {side_of(deploy_.plan.idle, share, now_[0], false),
                   side_of(deploy_.plan.active(), kWhole - share, baseline_ ? *baseline_ : now_[1],
                           baseline_.has_value())};
  deploy_.note(
      step_,
      split + "; " + text(deploy_.plan.idle) + ": " + figures_text(now_[0]) + "; " +
          (baseline_ ? text(deploy_.plan.active()) + " before the flip: " + figures_text(*baseline_)
                     : text(deploy_.plan.active()) + ": " + figures_text(now_[1])),
      std::move(details));
}

}  // namespace bluegreen
