// See contract.hpp.
#include "controller/deploy/contract.hpp"

#include <algorithm>

#include "controller/output/printable.hpp"

namespace bluegreen {

namespace {

// The control region remembers what was behind the serving release; where it does not, the target
// comes from the history, and the time of its last deploy decides.
bool is_before(const ContractMark& mark, const Plan& plan,
               const std::vector<TraceSummary>& newest_first) {
  if (!plan.idle_before.image.empty()) {
    return plan.idle_before.image == mark.old_image &&
           plan.idle_before.deploy_id == mark.old_deploy_id;
  }
  if (plan.image == mark.image) {
    return false;
  }
  const auto last = std::find_if(newest_first.begin(), newest_first.end(), [&](const auto& each) {
    return each.verdict && each.verdict->image == plan.image;
  });
  return last == newest_first.end() || last->started < mark.at;
}

}  // namespace

Result<Plan> plan_contract(ControlPort& control, const std::string& app, const std::string& id) {
  auto plan = plan_deploy(control, app, id, {});
  if (plan) {
    plan->command = kContract;
    plan->image = plan->active_before.image;
    plan->release = plan->active_before.release;
  }
  return plan;
}

Result<void> may_roll_back(const std::optional<ContractMark>& mark, const Plan& plan,
                           const std::vector<TraceSummary>& newest_first) {
  if (!mark || !is_before(*mark, plan, newest_first)) {
    return {};
  }
  return fail(ExitCode::kPreflight,
              "a rollback to " + plan.release + " is refused: the contract of " +
                  utc_time(mark->at) + " (" + mark->deploy_id + "), made when " + mark->release +
                  " served, " +
                  (mark->done ? "has removed" : "did not end well and may have removed") +
                  " what older releases need",
              "go forward: bgctl deploy IMAGE, with a release that needs none of it");
}

}  // namespace bluegreen
