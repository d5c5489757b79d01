// Between publish and flip: NGINX itself reaches the new color, so the path that is proven is the
// path that the traffic takes. See step.hpp for who calls it.
//
// Waits until NGINX's probes find every endpoint of the table that publish has made well (healthy
// or degraded). The records are told by the endpoint's tag, which has the table's generation in it:
// what was found out about a predecessor at the same address does not count.
//
// Nobody probes the application, and the step passes with a line that says so, when
//   - at once: no NGINX worker is alive, or telemetry has no place for the application's health (an
//     NGINX without this module's probes, or no telemetry at all), or nobody has ever taken the
//     prober's lease since telemetry was made
//   - after 3 seconds, or healthy_within when that is less, without a record of one of these
//   endpoints (at once in a rollback to a color
//     that still runs, which is in a hurry and has served before): no living worker holds the
//     prober's lease, or its holder has no record of the application. Who takes the lease writes
//     all of its records anew first, so one that probes this application has some of its own epoch.
// In all other cases it waits for as long as `healthy_within` and fails with what the probes found.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

class ProbedStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

}  // namespace bluegreen
