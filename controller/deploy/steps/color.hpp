// What several steps do with a color. Errors are those of the ports.
#pragma once

#include <string>
#include <vector>

#include "controller/deploy/plan.hpp"
#include "controller/ports/regions.hpp"

namespace bluegreen {

// No endpoint of the color counts any more and no request may start on it; its table keeps these
// labels, so that a rollback knows what was there. Refused (kUsage) for the active color.
Result<void> withdraw_endpoints(ControlPort& control, const std::string& app, Color color,
                                const Labels& labels);

// The endpoints' identities as one word, for the journal: they tell a start from the next one.
std::string identities_of(const std::vector<shm::Endpoint>& endpoints);
std::string identities_of(const std::vector<Instance>& instances);

// What an operator has ordered and a deploy leaves in force, for one line: "requests are held for
// 20 s more (`bgctl release`)". Empty when there is nothing.
std::string kept_in_force(ControlPort& control, const shm::AppSnapshot& now);

}  // namespace bluegreen
