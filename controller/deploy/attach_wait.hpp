// Waiting until every worker of NGINX obeys the control region that was just changed, so that a
// command which has returned means "seen by all". Costs one look when they do, which is always but
// for the first second of a control file's life.
//
// Called by `bgctl switch` and by the flip of a deploy, after the change is visible and durable.
#pragma once

#include <chrono>
#include <string>

#include "controller/ports/clock.hpp"
#include "controller/ports/regions.hpp"

namespace bluegreen {

inline constexpr std::chrono::milliseconds kAttachWithin{3'000};

// Empty when all have attached or nobody is there; else one sentence about who has not.
std::string wait_attached(TelemetryPort& telemetry, Clock& clock, std::uint64_t control_id);

}  // namespace bluegreen
