// See before_flip.hpp.
#include "controller/deploy/steps/before_flip.hpp"

#include "controller/deploy/drain_wait.hpp"
#include "controller/deploy/steps/color.hpp"
#include "controller/deploy/traffic_watch.hpp"

namespace bluegreen {

std::string IdentifyStep::plan(const Deploy& deploy) const {
  const std::string& serving = deploy.plan.active_before.release;
  return text(deploy.plan.active()) + " serves " + (serving.empty() ? "nothing yet" : serving) +
         ", " + text(deploy.plan.idle) + " is idle";
}

Result<void> IdentifyStep::run(Deploy& deploy) const {
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (now->generation != deploy.plan.generation || now->route.active != deploy.plan.active()) {
    return fail(ExitCode::kUsage, "the control region has changed under the deploy: generation " +
                                      std::to_string(now->generation) + ", expected " +
                                      std::to_string(deploy.plan.generation));
  }
  // Somebody's own decision, which no deploy ends.
  if (const std::string kept = kept_in_force(deploy.world.control, *now); !kept.empty()) {
    deploy.note("identify", kept);
  }
  begin_baseline(deploy);
  return {};
}

std::string PreflightStep::plan(const Deploy&) const {
  return "check what can be checked before anything moves";
}

bool PreflightStep::applies(const Deploy& deploy) const {
  return !deploy.plan.warm;
}

Result<void> PreflightStep::run(Deploy& deploy) const {
  if (deploy.plan.release.size() >= shm::kReleaseSize) {
    return fail(ExitCode::kPreflight, "the release name '" + deploy.plan.release +
                                          "' is longer than " +
                                          std::to_string(shm::kReleaseSize - 1) + " bytes");
  }
  if (deploy.plan.image.size() >= shm::kImageSize) {
    return fail(ExitCode::kPreflight, "the image name '" + deploy.plan.image + "' is longer than " +
                                          std::to_string(shm::kImageSize - 1) + " bytes");
  }
  if (deploy.config.smoke && deploy.world.smoke != nullptr) {
    if (auto ready = deploy.world.smoke->ready(); !ready) {
      return ready;
    }
  }
  return deploy.world.runtime.preflight(deploy.plan.idle);
}

std::string PullStep::plan(const Deploy& deploy) const {
  return "have " + deploy.plan.image + " here";
}

bool PullStep::applies(const Deploy& deploy) const {
  return !deploy.plan.warm;
}

Result<void> PullStep::run(Deploy& deploy) const {
  auto image = deploy.world.runtime.pull(
      deploy.plan.image, [&deploy](const std::string& line, const PullDetails& layers) {
        deploy.note("pull", line, layers);
      });
  if (!image) {
    return tl::unexpected(image.error());
  }
  if (image->pinned.size() >= shm::kImageSize) {
    return fail(ExitCode::kPull, "the pinned image name '" + image->pinned + "' is longer than " +
                                     std::to_string(shm::kImageSize - 1) + " bytes");
  }
  deploy.facts["pinned"] = image->pinned;
  if (!image->warning.empty()) {
    deploy.facts[kWarning] = image->warning;
    deploy.note("pull", "warning: " + image->warning);
  }
  return {};
}

std::string ClearStep::plan(const Deploy& deploy) const {
  return "see that no request is on " + text(deploy.plan.idle);
}

bool ClearStep::applies(const Deploy& deploy) const {
  return !deploy.plan.warm;
}

Result<void> ClearStep::run(Deploy& deploy) const {
  const Color idle = deploy.plan.idle;
  auto running = deploy.world.runtime.observe(idle);
  if (!running) {
    return tl::unexpected(running.error());
  }
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const bool reachable = now->route.weight != 0 || now->tables[shm::index_of(idle)].count != 0;
  if (running->empty() && !reachable) {
    return {};
  }
  auto closed = deploy.world.control.close(deploy.plan.app, idle);
  if (!closed) {
    return tl::unexpected(closed.error());
  }
  if (running->empty()) {
    return {};
  }
  deploy.note("clear", text(idle) + " still runs and will be replaced");
  const DrainOutcome outcome = wait_drained(deploy, idle, deploy.deadline, true);
  if (outcome.stopped) {
    return fail(ExitCode::kAborted, "stopped on request");
  }
  if (!outcome.doubt.empty()) {
    deploy.doubts.push_back("before " + text(idle) + " was replaced: " + outcome.doubt);
  }
  return {};
}

std::string StartStep::plan(const Deploy& deploy) const {
  return "start " + text(deploy.plan.idle) + " from " + deploy.pinned().pinned;
}

bool StartStep::applies(const Deploy& deploy) const {
  return !deploy.plan.warm;
}

Result<void> StartStep::run(Deploy& deploy) const {
  // Recovery has run: nothing of an earlier deploy can be undone any more, and must not be by us.
  if (auto settled = deploy.world.runtime.settle(); !settled) {
    return settled;
  }
  return deploy.world.runtime.start(deploy.plan.idle, deploy.pinned());
}

Result<void> StartStep::undo(Deploy& deploy) const {
  // The table may still name what this color ran before the start replaced it.
  auto withdrawn = withdraw_endpoints(deploy.world.control, deploy.plan.app, deploy.plan.idle,
                                      deploy.plan.idle_before);
  auto removed = deploy.world.runtime.remove(deploy.plan.idle);
  return removed ? withdrawn : removed;
}

Result<Presence> StartStep::observe(Deploy& deploy) const {
  auto running = deploy.world.runtime.observe(deploy.plan.idle);
  if (!running) {
    return tl::unexpected(running.error());
  }
  return running->empty() ? Presence::kAbsent : Presence::kPresent;
}

std::string HealthyStep::plan(const Deploy& deploy) const {
  return "wait until " + text(deploy.plan.idle) + " is healthy";
}

bool HealthyStep::applies(const Deploy& deploy) const {
  return !deploy.plan.warm;  // the plan has looked
}

Result<void> HealthyStep::run(Deploy& deploy) const {
  const auto tell = [&deploy](const char* container) {
    deploy.note("healthy", "", HealthDetails{text(deploy.plan.idle), container, "", 0, 0});
  };
  tell("starting");
  auto healthy = deploy.world.runtime.wait_healthy(deploy.plan.idle, deploy.deadline);
  tell(healthy ? "healthy" : "unhealthy");
  return healthy;
}

std::string PublishStep::plan(const Deploy& deploy) const {
  return "publish " + text(deploy.plan.idle) + "'s addresses as " + deploy.plan.release;
}

Result<void> PublishStep::run(Deploy& deploy) const {
  const Color idle = deploy.plan.idle;
  auto endpoints = deploy.world.runtime.endpoints(idle);
  if (!endpoints) {
    return tl::unexpected(endpoints.error());
  }
  if (endpoints->empty()) {
    return fail(ExitCode::kNotHealthy, text(idle) + " has no address to publish: it has stopped");
  }
  deploy.facts["identities"] = identities_of(*endpoints);
  auto published = deploy.world.control.publish(
      deploy.plan.app, idle,
      {deploy.plan.release, deploy.pinned().pinned, deploy.plan.id, std::move(*endpoints)});
  return published ? Result<void>{} : tl::unexpected(published.error());
}

Result<void> PublishStep::undo(Deploy& deploy) const {
  return withdraw_endpoints(deploy.world.control, deploy.plan.app, deploy.plan.idle,
                            deploy.plan.idle_before);
}

Result<Presence> PublishStep::observe(Deploy& deploy) const {
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const shm::EndpointTable& table = now->tables[shm::index_of(deploy.plan.idle)];
  return labels_of(table).deploy_id == deploy.plan.id ? Presence::kPresent : Presence::kAbsent;
}

}  // namespace bluegreen
