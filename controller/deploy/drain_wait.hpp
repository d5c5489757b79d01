// Waiting until no request is on a color that has been closed.
//
// Asks telemetry until it proves 0, the deadline passes or (with `heed_stop`) a stop is requested.
// Where no worker can be seen at all (NGINX is down, telemetry missing) nothing will ever be
// proven: then it asks for kBlindGrace only. A color is drained when `doubt` is empty.
#pragma once

#include <chrono>
#include <string>

#include "controller/deploy/step.hpp"

namespace bluegreen {

inline constexpr std::chrono::milliseconds kBlindGrace{2'000};

struct DrainOutcome {
  bool stopped = false;  // by request; nothing is known
  std::string doubt;     // why the color may still have requests
  std::uint64_t in_flight = 0;
};

DrainOutcome wait_drained(Deploy& deploy, Color color, Deadline deadline, bool heed_stop);

}  // namespace bluegreen
