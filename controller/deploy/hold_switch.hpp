// A flip with nothing in flight: hold, drain both colors to 0, flip, release.
//
//   hold     {active old, hold, no weight or fallback} new requests wait from here on
//            until telemetry proves that neither color has a request (new may have some by
//            weight, by fallback, or from before a switch back)
//   flip     {active new, old closed, hold kept}       one word; still all wait
//            until the proof for old again, and the hold's time is not over: nobody has overlooked
//            it
//   release  {active new, old closed}
//
// Two colors are never at work at one moment, but for previews. Whatever goes wrong before
// `release`, the route goes back as it was, a hold that somebody else had begun included; killed
// anywhere, it leaves at worst a hold that ends by its ticket, with one color active and open.
// The ticket outlasts the limit by kHoldMargin, so that a `flip` in time is never a surprise.
//
// Called under the application's lock. Over the ports alone; asks for nothing before telemetry can
// prove anything at all.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "controller/output/event.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/regions.hpp"

namespace bluegreen {

inline constexpr std::chrono::milliseconds kHoldMargin{2'000};

struct HoldSwitchWorld {
  ControlPort& control;
  TelemetryPort& telemetry;
  Clock& clock;
  EventSink& events;
  std::uint64_t control_id;
};

struct HoldSwitchEnd {
  // kDone; kGate and kAborted: the old color serves, as before; kRollbackFailed: it could not be
  // put back, `reason` says what the region has instead.
  ExitCode code = ExitCode::kDone;
  std::string reason;
  std::uint64_t generation = 0;       // of the last word that was stored, or of the present one
  std::chrono::milliseconds held{0};  // how long requests have waited at most
  std::vector<StepTime> steps;
};

// `to` is not active. An error: nothing was changed.
Result<HoldSwitchEnd> switch_held(HoldSwitchWorld& world, const std::string& app, Color to,
                                  std::chrono::milliseconds limit);

}  // namespace bluegreen
