// See canary.hpp.
#include "controller/deploy/steps/canary.hpp"

#include <algorithm>

#include "controller/config/percent.hpp"
#include "controller/deploy/attach_wait.hpp"
#include "controller/deploy/steps/flip.hpp"
#include "controller/deploy/traffic_watch.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

// Ten looks a second: what is found is acted upon within one of them.
constexpr milliseconds kBetweenStageLooks{100};
constexpr int kLooksBetweenInspections = 5;

std::string name_of(const CanaryStage& stage) {
  return percent_text(stage.weight) + " for " + readable(stage.length);
}

Result<void> take_share_away(Deploy& deploy) {
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (now->route.active != deploy.plan.active() || now->route.weight == 0) {
    return {};
  }
  auto taken = deploy.world.control.set_weight(deploy.plan.app, 0);
  return taken ? Result<void>{} : tl::unexpected(taken.error());
}

// Why the new color is not to have more; empty when the stage has passed.
Result<std::string> watch(Deploy& deploy, const CanaryStage& stage) {
  Clock& clock = deploy.world.clock;
  const Deadline until = std::min(clock.now() + stage.length, deploy.deadline);
  const std::string split = percent_text(stage.weight) + " to " + text(deploy.plan.idle);
  TrafficWatch traffic(deploy, "canary", stage.min_requests);
  for (int looks = 0;; ++looks) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock.now());
    const bool last = left.count() <= 0;
    const canary::Finding found = last ? traffic.end() : traffic.look();
    if (found.outcome == canary::Outcome::kFail) {
      return found.why;
    }
    if (last) {
      deploy.note("canary", split + " passed: " + found.why);
      return std::string();
    }
    traffic.note(split);
    const std::string changed =
        looks % kLooksBetweenInspections == 0 ? what_has_changed(deploy) : std::string();
    if (!changed.empty()) {
      return changed;
    }
    if (!clock.wait(std::min(left, kBetweenStageLooks))) {
      return fail(ExitCode::kAborted, "stopped on request");
    }
  }
}

}  // namespace

std::string CanaryStep::plan(const Deploy& deploy) const {
  std::string stages;
  for (const CanaryStage& stage : deploy.config.canary.stages) {
    stages += (stages.empty() ? "" : ", then ") + name_of(stage);
  }
  return stages.empty() ? "note how " + text(deploy.plan.active()) + " serves, for the soak"
                        : "send " + text(deploy.plan.idle) + " a share and watch it: " + stages;
}

bool CanaryStep::applies(const Deploy& deploy) const {
  return deploy.plan.command != "rollback" &&
         (!deploy.config.canary.stages.empty() || deploy.config.soak.count() > 0);
}

Result<void> CanaryStep::run(Deploy& deploy) const {
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (now->tables[shm::index_of(deploy.plan.active())].count == 0) {
    deploy.note("canary", "nothing to compare with: this is the first release");
    return {};
  }
  for (const CanaryStage& stage : deploy.config.canary.stages) {
    auto set = deploy.world.control.set_weight(deploy.plan.app, stage.weight);
    if (!set) {
      return tl::unexpected(set.error());
    }
    const std::string doubt =
        wait_attached(deploy.world.telemetry, deploy.world.clock, deploy.world.control_id);
    if (!doubt.empty()) {
      deploy.note("canary", doubt);
    }
    const auto trouble = watch(deploy, stage);
    if (!trouble || !trouble->empty()) {
      // Users first. What cannot be taken away here is tried again by the undo, which says so.
      (void)take_share_away(deploy);
      return trouble ? fail(ExitCode::kGate,
                            "with " + percent_text(stage.weight) + " of the traffic " + *trouble)
                     : tl::unexpected(trouble.error());
    }
  }
  record_baseline(deploy);
  return {};
}

Result<void> CanaryStep::undo(Deploy& deploy) const {
  return take_share_away(deploy);
}

Result<Presence> CanaryStep::observe(Deploy& deploy) const {
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const bool shared = now->route.active == deploy.plan.active() && now->route.weight != 0;
  return shared ? Presence::kPresent : Presence::kAbsent;
}

}  // namespace bluegreen
