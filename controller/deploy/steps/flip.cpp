// See flip.hpp.
#include "controller/deploy/steps/flip.hpp"

#include <algorithm>

#include "controller/deploy/attach_wait.hpp"
#include "controller/deploy/drain_wait.hpp"
#include "controller/deploy/steps/color.hpp"
#include "controller/deploy/traffic_watch.hpp"

namespace bluegreen {

std::string FlipStep::plan(const Deploy& deploy) const {
  return "send all requests to " + text(deploy.plan.idle);
}

Result<void> FlipStep::run(Deploy& deploy) const {
  // While the new color is on probation, what it cannot take may go to the old one; the drain's
  // close ends that, and so does the way back.
  const bool fallback = deploy.config.soak.count() > 0;
  auto generation = deploy.world.control.activate(deploy.plan.app, deploy.plan.idle, fallback);
  if (!generation) {
    return tl::unexpected(generation.error());
  }
  deploy.facts["generation"] = std::to_string(*generation);
  const std::string doubt =
      wait_attached(deploy.world.telemetry, deploy.world.clock, deploy.world.control_id);
  if (!doubt.empty()) {
    deploy.doubts.push_back("flip: " + doubt);
  }
  return {};
}

Result<void> FlipStep::undo(Deploy& deploy) const {
  auto back = deploy.world.control.activate(deploy.plan.app, deploy.plan.active());
  if (!back) {
    return tl::unexpected(back.error());
  }
  deploy.note("flip", text(deploy.plan.active()) + " serves again");
  auto closed = deploy.world.control.close(deploy.plan.app, deploy.plan.idle);
  if (closed) {
    const Deadline deadline = deploy.world.clock.now() + deploy.config.drain_timeout;
    wait_drained(deploy, deploy.plan.idle, deadline, false);
  }
  return {};
}

Result<Presence> FlipStep::observe(Deploy& deploy) const {
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  return now->route.active == deploy.plan.idle ? Presence::kPresent : Presence::kAbsent;
}

std::string SoakStep::plan(const Deploy& deploy) const {
  return "watch " + text(deploy.plan.idle) + " for " + std::to_string(deploy.config.soak.count()) +
         " ms";
}

bool SoakStep::applies(const Deploy& deploy) const {
  return deploy.config.soak.count() > 0;
}

Result<void> SoakStep::run(Deploy& deploy) const {
  using std::chrono::milliseconds;
  constexpr milliseconds kBetweenLooks{100};
  constexpr int kLooksBetweenInspections = 5;
  Clock& clock = deploy.world.clock;
  const auto baseline = baseline_of(deploy);
  std::optional<TrafficWatch> traffic;
  if (baseline) {  // none: a rollback, the first release, or no telemetry
    traffic.emplace(deploy, "soak", deploy.config.canary.analysis.min_requests, baseline);
  }
  for (int looks = 0;; ++looks) {
    const auto left = std::chrono::duration_cast<milliseconds>(deploy.deadline - clock.now());
    const bool last = left.count() <= 0;
    std::string trouble;
    if (last || looks % kLooksBetweenInspections == 0) {
      trouble = what_has_changed(deploy);
    }
    if (trouble.empty() && traffic) {
      const canary::Finding found = last ? traffic->end() : traffic->look();
      trouble = found.outcome == canary::Outcome::kFail ? found.why : "";
      if (last && trouble.empty()) {
        deploy.note("soak", "passed: " + found.why);
      }
    }
    if (!trouble.empty()) {
      return fail(ExitCode::kRolledBack, "during the soak " + trouble);
    }
    if (last) {
      return {};
    }
    if (traffic) {
      traffic->note("100% to " + text(deploy.plan.idle));
    }
    if (!clock.wait(std::min(left, kBetweenLooks))) {
      return fail(ExitCode::kAborted, "stopped on request");
    }
  }
}

std::string what_has_changed(Deploy& deploy) {
  const std::string color = text(deploy.plan.idle);
  auto running = deploy.world.runtime.observe(deploy.plan.idle);
  if (!running) {
    return color + " could not be looked at: " + running.error().what;
  }
  if (running->empty()) {
    return color + " has ended";
  }
  const auto published = deploy.facts.find("identities");
  if (published != deploy.facts.end() && published->second != identities_of(*running)) {
    return color + " was started anew";
  }
  for (const Instance& instance : *running) {
    if (instance.health == Health::kUnhealthy) {
      return color + " is unhealthy (" + instance.id + ")";
    }
  }
  return {};
}

}  // namespace bluegreen
