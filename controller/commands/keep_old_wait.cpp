// See keep_old_wait.hpp.
#include "controller/commands/keep_old_wait.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "controller/commands/target.hpp"
#include "controller/deploy/keep_old.hpp"
#include "controller/deploy/steps/hooks.hpp"
#include "controller/host/lock.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

// True when keep_old is over; false when this process has nothing to do any more. Whoever changes
// the application puts a holder file into the run directory and takes it away: that is what wakes
// us, so that of many deploys in a row only the last one's process waits.
bool wait_keep_old(DeployProcess& process, const Leftover& left) {
  constexpr milliseconds kLookAnyway{5'000};  // should the watch have failed
  const shm::UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(changes.get(), process.place.target.run_dir.c_str(), IN_MOVED_TO | IN_DELETE);
  const auto end = process.clock.now() + left.keep;
  for (;;) {
    const auto now = process.place.control->read(left.app);
    if (now && is_superseded(*now, left)) {
      process.events->emit({process.clock.wall(),
                            "stop",
                            StepState::kSkipped,
                            text(left.color) + " has changed since and is left alone",
                            {}});
      return false;
    }
    const auto remaining = std::chrono::ceil<milliseconds>(end - process.clock.now());
    if (remaining.count() <= 0) {
      return true;
    }
    const auto wake = process.clock.wait_for(std::min(remaining, kLookAnyway), changes.get());
    if (wake == SystemClock::Wake::kStop) {
      return false;
    }
    std::array<char, 4096> notes{};
    while (::read(changes.get(), notes.data(), notes.size()) > 0) {
    }
  }
}

// What comes of one try to stop it, in one line of the trace.
void note_end(DeployProcess& process, const Leftover& left, const Result<LeftoverEnd>& end) {
  const std::string what =
      !end                            ? end.error().what
      : *end == LeftoverEnd::kStopped ? " is stopped, keep_old is over"
      : *end == LeftoverEnd::kCut
          ? " is stopped, keep_old is over; nothing proved that it had no request"
      : *end == LeftoverEnd::kChanged ? " has changed since and is left alone"
                                      : " may be in use and stays up for now";
  const bool waits = end && *end == LeftoverEnd::kNotDrained;
  process.events->emit({process.clock.wall(),
                        "stop",
                        waits ? StepState::kProgress
                        : end ? StepState::kDone
                              : StepState::kFailed,
                        end ? text(left.color) + what : what,
                        {}});
}

// The deploy's post_stop hooks, now that the old color has really stopped.
void run_post_stop(DeployProcess& process) {
  const auto& hooks = process.place.app->hooks.post_stop;
  if (hooks.empty()) {
    return;
  }
  const auto ran = run_hooks({*process.hooks, process.clock, *process.events}, "post_stop", hooks,
                             process.post_stop_environment, true);
  process.events->emit({process.clock.wall(),
                        "post_stop",
                        ran ? StepState::kDone : StepState::kFailed,
                        ran ? "the hooks have run" : ran.error().what,
                        {}});
}

// One try, under the lock. True when there is nothing left to do. `cut_at` is set by the first one
// that finds the color in use.
bool stop_old_now(DeployProcess& process, TelemetryFile& telemetry, const Leftover& left,
                  std::optional<Deadline>& cut_at) {
  DeployPlace& place = process.place;
  auto lock = HostLock::acquire(place.target.run_dir, place.lock_name(), "application " + left.app,
                                LockHolder{0, kKeepOldWork, process.id, {}});
  if (!lock) {
    // Somebody is at work on the application: if that changes it, the next look says so.
    return lock.error().code != ExitCode::kLocked;
  }
  if (auto ended = end_left_hold(*lock, *place.control, left.app, *process.events); !ended) {
    note_end(process, left, tl::unexpected(ended.error()));
    return true;
  }
  const bool may_cut =
      cut_at && process.clock.now() >= *cut_at && place.app->drain_then == AfterDrainTimeout::kStop;
  const auto end = stop_leftover(*place.control, telemetry, *process.runtime, place.control->id(),
                                 left, may_cut);
  const bool again = end && *end == LeftoverEnd::kNotDrained;
  if (!again || !cut_at) {
    note_end(process, left, end);
  }
  if (end && (*end == LeftoverEnd::kStopped || *end == LeftoverEnd::kCut)) {
    run_post_stop(process);
  }
  if (!cut_at) {
    cut_at = process.clock.now() + place.app->drain_timeout;
  }
  return !again;
}

}  // namespace

void keep_old_then_stop(DeployProcess& process, TelemetryFile& telemetry, Leftover left) {
  constexpr milliseconds kAgain{1'000};
  std::optional<Deadline> cut_at;
  while (wait_keep_old(process, left) && !stop_old_now(process, telemetry, left, cut_at)) {
    left.keep = kAgain;
  }
}

}  // namespace bluegreen
