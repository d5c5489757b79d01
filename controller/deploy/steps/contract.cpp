// See contract.hpp.
#include "controller/deploy/steps/contract.hpp"

#include "controller/deploy/contract.hpp"
#include "controller/deploy/steps/hooks.hpp"

namespace bluegreen {

std::string OldGoneStep::plan(const Deploy& deploy) const {
  return "see that nothing of the old release runs on " + text(deploy.plan.idle);
}

Result<void> OldGoneStep::run(Deploy& deploy) const {
  const Color idle = deploy.plan.idle;
  auto running = deploy.world.runtime.observe(idle);
  if (!running) {
    return tl::unexpected(running.error());
  }
  auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const std::string old =
      deploy.plan.idle_before.release.empty() ? "the old release" : deploy.plan.idle_before.release;
  if (!running->empty()) {
    return fail(ExitCode::kPreflight,
                text(idle) + " still runs " + old + ", which the contract would break",
                "wait until keep_old is over, or stop it by hand; then run `bgctl contract` again");
  }
  if (now->tables[shm::index_of(idle)].count != 0 || now->route.weight != 0) {
    return fail(ExitCode::kPreflight,
                "requests can still be sent to " + text(idle) + " (" + old + ")",
                "`bgctl drain " + text(idle) + "`, then `bgctl contract` again");
  }
  return {};
}

std::string ContractStep::plan(const Deploy& deploy) const {
  return plan_of_migration(*deploy.config.hooks.contract, deploy.plan.image);
}

Result<void> ContractStep::run(Deploy& deploy) const {
  const Plan& plan = deploy.plan;
  ContractMark mark{.at = deploy.world.clock.wall(),
                    .deploy_id = plan.id,
                    .release = plan.active_before.release,
                    .image = plan.active_before.image,
                    .old_image = plan.idle_before.image,
                    .old_deploy_id = plan.idle_before.deploy_id};
  if (auto marked = deploy.world.trace.mark_contract(mark); !marked) {
    return marked;
  }
  if (auto ran = run_migration(deploy, *deploy.config.hooks.contract, kContract); !ran) {
    Error error = ran.error();
    error.hint =
        "run `bgctl contract` again; a rollback past it is refused from now on, since it may have "
        "removed something";
    return tl::unexpected(std::move(error));
  }
  mark.done = true;
  return deploy.world.trace.mark_contract(mark);
}

Result<void> ContractStep::undo(Deploy& deploy) const {
  return deploy.config.hooks.contract
             ? end_migration(deploy, *deploy.config.hooks.contract, kContract)
             : Result<void>{};
}

}  // namespace bluegreen
