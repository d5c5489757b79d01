// The end of keep_old: the old color, which was left up for a rollback at once, is stopped when
// nobody has touched it since. Called by the detached deploy process after its verdict, under the
// application's lock taken anew.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

enum class LeftoverEnd : std::uint8_t {
  kStopped,
  kCut,         // stopped, though nothing proves that its requests had ended
  kChanged,     // somebody has deployed, switched or restarted it: it is not ours any more
  kNotDrained,  // requests are still on it and may not be cut: ask again later
};

// The region says that the leftover is no longer what the deploy has left: it was published to,
// switched to, or opened. A hold, a release and maintenance are about the application, not about
// it.
bool is_superseded(const shm::AppSnapshot& now, const Leftover& left);

// `may_cut`: it has been waited for as long as a drain is, and `then: stop` is what comes after.
Result<LeftoverEnd> stop_leftover(ControlPort& control, TelemetryPort& telemetry, Runtime& runtime,
                                  std::uint64_t control_id, const Leftover& left, bool may_cut);

}  // namespace bluegreen
