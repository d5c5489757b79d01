// See after_flip.hpp.
#include "controller/deploy/steps/after_flip.hpp"

#include <algorithm>

#include "controller/deploy/drain_wait.hpp"
#include "controller/deploy/steps/color.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {

namespace {

constexpr const char* kDrained = "drained";
constexpr const char* kExact = "exact";

}  // namespace

std::string DrainStep::plan(const Deploy& deploy) const {
  return "close " + text(deploy.plan.active()) + " and wait until no request is on it";
}

Result<void> DrainStep::run(Deploy& deploy) const {
  const Color old = deploy.plan.active();
  auto running = deploy.world.runtime.observe(old);
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const bool ever_served = now->tables[shm::index_of(old)].count != 0;
  auto closed = deploy.world.control.close(deploy.plan.app, old);
  if (!closed) {
    return tl::unexpected(closed.error());
  }
  if (running && running->empty() && !ever_served) {
    deploy.facts[kDrained] = kExact;  // the first deploy: nothing was there
    return {};
  }
  // With "wait" the step's limit is the deploy's: the drain's own time only says when to tell.
  const bool waits_on = deploy.config.drain_then == AfterDrainTimeout::kWait;
  const Deadline told_at =
      std::min(deploy.deadline, deploy.world.clock.now() + deploy.config.drain_timeout);
  DrainOutcome outcome = wait_drained(deploy, old, waits_on ? told_at : deploy.deadline, true);
  if (waits_on && !outcome.stopped && !outcome.doubt.empty()) {
    deploy.note("drain", text(old) + " is still waited for: " + outcome.doubt);
    outcome = wait_drained(deploy, old, deploy.deadline, true);
  }
  if (outcome.stopped) {
    return fail(ExitCode::kAborted, "stopped on request");
  }
  if (!outcome.doubt.empty() && deploy.config.drain_then == AfterDrainTimeout::kRollback) {
    // Back to a color that has ended would be worse than cutting what is left on it.
    auto still = deploy.world.runtime.observe(old);
    if (still && !still->empty()) {
      return fail(ExitCode::kRolledBack, "drain of " + text(old) + ": " + outcome.doubt +
                                             " after " + readable(deploy.config.drain_timeout) +
                                             R"(, and "then" says rollback)");
    }
  }
  deploy.facts[kDrained] = outcome.doubt.empty() ? kExact : outcome.doubt;
  if (!outcome.doubt.empty()) {
    deploy.doubts.push_back("drain of " + text(old) + ": " + outcome.doubt);
  }
  return {};
}

std::string StopStep::plan(const Deploy& deploy) const {
  const std::string old = text(deploy.plan.active());
  if (deploy.config.keep_old.count() > 0) {
    return "leave " + old + " up for a rollback at once";
  }
  return "stop " + old;
}

// What could not be closed and waited for is not stopped: requests may be on it.
bool StopStep::applies(const Deploy& deploy) const {
  return deploy.facts.count(kDrained) != 0;
}

Result<void> StopStep::run(Deploy& deploy) const {
  const Color old = deploy.plan.active();
  auto running = deploy.world.runtime.observe(old);
  if (!running) {
    return tl::unexpected(running.error());
  }
  if (running->empty()) {
    return withdraw_endpoints(deploy.world.control, deploy.plan.app, old,
                              deploy.plan.active_before);
  }
  const bool exact = deploy.facts[kDrained] == kExact;
  const bool must_wait = !exact && deploy.config.drain_then == AfterDrainTimeout::kWait;
  if (deploy.config.keep_old.count() > 0 || must_wait) {
    auto now = deploy.world.control.read(deploy.plan.app);
    if (!now) {
      return tl::unexpected(now.error());
    }
    Leftover left;
    left.app = deploy.plan.app;
    left.color = old;
    left.generation = now->generation;
    left.table_generation = now->tables[shm::index_of(old)].generation;
    left.keep = deploy.config.keep_old;
    left.only_drained = must_wait;
    for (const Instance& instance : *running) {
      left.identities.push_back(instance.identity);
    }
    deploy.leftover = std::move(left);
    return {};
  }
  auto stopped = deploy.world.runtime.stop(old);
  if (!stopped) {
    return stopped;
  }
  return withdraw_endpoints(deploy.world.control, deploy.plan.app, old, deploy.plan.active_before);
}

std::string FinishStep::plan(const Deploy&) const {
  return "mark the last image";
}

Result<void> FinishStep::run(Deploy& deploy) const {
  return deploy.world.trace.mark_last_image(deploy.pinned().pinned);
}

}  // namespace bluegreen
