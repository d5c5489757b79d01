// See drain_wait.hpp.
#include "controller/deploy/drain_wait.hpp"

#include <algorithm>

namespace bluegreen {

namespace {

struct Look {
  bool drained = false;
  bool blind = false;  // no worker to be seen
  std::uint64_t in_flight = 0;
  std::string doubt;
};

Look look(World& world, const std::string& app, Color color) {
  Look result;
  auto view = world.telemetry.drain_view(app, color, world.control_id);
  if (!view) {
    result.blind = true;
    result.doubt = view.error().what;
    return result;
  }
  result.in_flight = view->in_flight;
  result.drained = view->exact && view->in_flight == 0;
  result.blind = !view->exact && view->live_workers == 0;
  if (!view->exact) {
    result.doubt = view->reason.empty() ? "telemetry is not exact" : view->reason;
  } else if (view->in_flight != 0) {
    result.doubt = std::to_string(view->in_flight) + " requests are still on " + text(color);
  }
  return result;
}

}  // namespace

DrainOutcome wait_drained(Deploy& deploy, Color color, Deadline deadline, bool heed_stop) {
  using std::chrono::milliseconds;
  constexpr milliseconds kSlowestRhythm{50};
  constexpr milliseconds kShowAgain{1'000};
  Clock& clock = deploy.world.clock;
  const Deadline blind_until = std::min(deadline, clock.now() + kBlindGrace);
  milliseconds between{1};
  const Deadline begin = clock.now();
  std::uint64_t shown = 0;
  Deadline shown_at = begin;
  for (;;) {
    const Look now = look(deploy.world, deploy.plan.app, color);
    if (now.drained) {
      return {};
    }
    const bool moved = now.in_flight != shown;
    if (moved || (shown != 0 && clock.now() - shown_at >= kShowAgain)) {
      shown = now.in_flight;
      shown_at = clock.now();
      const auto waited = std::chrono::duration_cast<milliseconds>(shown_at - begin);
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - shown_at);
      deploy.note("drain", moved ? std::to_string(shown) + " requests on " + text(color) : "",
                  DrainDetails{text(color), shown, waited, left, {}, {}});
    }
    if (clock.now() >= (now.blind ? blind_until : deadline)) {
      return {false, now.doubt, now.in_flight};
    }
    if (!heed_stop) {
      clock.pause(between);
    } else if (!clock.wait(between)) {
      return {true, {}, now.in_flight};
    }
    between = std::min(between * 2, kSlowestRhythm);
  }
}

}  // namespace bluegreen
