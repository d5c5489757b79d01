// `bgctl contract`: the part of a schema change that older releases do not survive, and what it
// means for a later rollback.
//
// It is run as a deploy of three steps (table_of): under the lock, journaled, traced. The
// mark that it leaves says which release served and which one was behind it; it is written before
// the command runs, since one that ends half-way may have removed something too. Called by the
// deploy process. Errors: kPreflight for what is refused.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/deploy/plan.hpp"
#include "controller/ports/trace.hpp"

namespace bluegreen {

inline constexpr const char* kContract = "contract";

Result<Plan> plan_contract(ControlPort& control, const std::string& app, const std::string& id);

// Refuses a rollback to a release that was in service before the mark and not at it.
Result<void> may_roll_back(const std::optional<ContractMark>& mark, const Plan& plan,
                           const std::vector<TraceSummary>& newest_first);

}  // namespace bluegreen
