// bgctl run-deploy ID (hidden): the deploy itself, in the process that deploy and rollback have
// detached. Reads the request from its trace folder; holds the folder's runner lock for its life
// and the application's lock while it changes something; leaves verdict.json. Whatever goes wrong
// before the driver runs becomes a verdict too: the foreground has nothing else to go by.
//
// After the verdict it prunes images, still under the lock. Then it stays for keep_old, without the
// lock, and stops the old color, unless somebody changes the application first: it ends then. Where
// requests may be on the old color again, it waits for them as a drain does.
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"
#include "controller/commands/make_runtime.hpp"
#include "controller/commands/target.hpp"
#include "controller/deploy/driver.hpp"
#include "controller/deploy/keep_old.hpp"
#include "controller/deploy/recover.hpp"
#include "controller/deploy/releases.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/host/trace.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

struct Process {
  DeployPlace place;
  std::string id;
  DeployRequest request;
  std::unique_ptr<TraceFolder> trace;
  std::unique_ptr<EventSink> events;
  std::unique_ptr<Runtime> runtime;
  SystemClock clock;
};

// A deploy that was refused before its driver ran.
Verdict refused(const Process& process, const Error& error) {
  Verdict verdict;
  verdict.code = error.code;
  verdict.command = process.request.command;
  verdict.id = process.id;
  verdict.app = process.place.app->name;
  verdict.image = process.request.image;
  verdict.trace = process.trace->folder();
  verdict.reason = error.what;
  verdict.hint = error.hint;
  verdict.tail = error.tail;
  verdict.headline = process.request.command + " of " + process.place.app->name +
                     " did not begin, nothing has changed";
  if (auto now = process.place.control->read(process.place.app->name)) {
    const shm::EndpointTable& table = now->tables[shm::index_of(now->route.active)];
    verdict.active = text(now->route.active);
    verdict.release = shm::text_of(table.release);
    if (!verdict.release.empty()) {
      verdict.headline += ": " + verdict.active + " serves " + verdict.release;
    }
  }
  return verdict;
}

Result<Plan> make_plan(Process& process, TraceStore& traces) {
  ControlFile& control = *process.place.control;
  const std::string& app = process.place.app->name;
  if (process.request.command != "rollback") {
    return plan_deploy(control, app, process.id, process.request.image);
  }
  auto now = control.read(app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const Labels serving = labels_of(now->tables[shm::index_of(now->route.active)]);
  const auto list = traces.list(app);
  return plan_rollback(control, *process.runtime, app, process.id,
                       list ? release_before(*list, serving.image) : Labels{});
}

struct Ended {
  bool well = false;  // a new release is in service
  std::optional<Leftover> leftover;
};

// Under the lock: recovery, plan, steps. The verdict is written unless it is returned as an error.
Result<Ended> deploy_under_lock(Process& process, HostLock& lock, TelemetryFile& telemetry) {
  DeployPlace& place = process.place;
  auto ended = end_left_hold(lock, *place.control, place.app->name, *process.events);
  if (!ended) {
    return tl::unexpected(ended.error());
  }
  TraceFolders traces(place.config->trace_dir);
  RecoveryWorld recovery{*place.control, telemetry,       *process.runtime,   process.clock,
                         traces,         *process.events, place.control->id()};
  auto recovered = recover(recovery, *place.app, process.id);
  if (!recovered) {
    Error error = recovered.error();
    error.code = error.code == ExitCode::kUsage ? ExitCode::kUsage : ExitCode::kPreflight;
    return tl::unexpected(error);
  }
  for (const Verdict& verdict : *recovered) {
    if (verdict.id == process.id) {
      return Ended{};  // an earlier attempt of this deploy, finished now
    }
  }
  auto plan = make_plan(process, traces);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  World world{*place.control, telemetry,       *process.runtime,   process.clock,
              *process.trace, *process.events, place.control->id()};
  Deploy deploy{world, *place.app, std::move(*plan), {}, {}, {}, {}};
  const ExitCode code = Driver(deploy).run().code;
  return Ended{code == ExitCode::kDone || code == ExitCode::kDrainForced, deploy.leftover};
}

// True when keep_old is over; false when this process has nothing to do any more. Whoever changes
// the application puts a holder file into the run directory and takes it away: that is what wakes
// us, so that of many deploys in a row only the last one's process waits.
bool wait_keep_old(Process& process, const Leftover& left) {
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
void note_end(Process& process, const Leftover& left, const Result<LeftoverEnd>& end) {
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

// One try, under the lock. True when there is nothing left to do. `cut_at` is set by the first one
// that finds the color in use.
bool stop_old_now(Process& process, TelemetryFile& telemetry, const Leftover& left,
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
  if (!cut_at) {
    cut_at = process.clock.now() + place.app->drain_timeout;
  }
  return !again;
}

void stop_old_later(Process& process, TelemetryFile& telemetry, Leftover left) {
  constexpr milliseconds kAgain{1'000};
  std::optional<Deadline> cut_at;
  while (wait_keep_old(process, left) && !stop_old_now(process, telemetry, left, cut_at)) {
    left.keep = kAgain;
  }
}

// After the verdict, whose word is final: what goes wrong here is a line in the trace.
void prune(Process& process) {
  DeployPlace& place = process.place;
  const auto note = [&process](StepState state, const std::string& what) {
    process.events->emit({process.clock.wall(), "prune", state, what, {}});
  };
  auto now = place.control->read(place.app->name);
  auto list = TraceFolders(place.config->trace_dir).list(place.app->name);
  if (!now || !list) {
    note(StepState::kFailed, now ? list.error().what : now.error().what);
    return;
  }
  const auto keep = images_to_keep(*list, *now, place.app->keep_releases);
  if (auto pruned = process.runtime->prune(keep); !pruned) {
    note(StepState::kFailed, pruned.error().what);
    return;
  }
  std::string kept;
  for (const std::string& image : keep) {
    kept += (kept.empty() ? "kept " : ", ") + image;
  }
  note(StepState::kDone, kept);
}

int run(Process& process) {
  DeployPlace& place = process.place;
  TelemetryFile telemetry(place.target.telemetry);
  std::optional<Leftover> left;
  {
    // The foreground has looked already; this is for two that came at the same moment.
    auto lock = HostLock::acquire(
        place.target.run_dir, place.lock_name(), "application " + place.app->name,
        LockHolder{0, process.request.command, process.id, {}}, milliseconds(200));
    if (!lock) {
      (void)process.trace->write_verdict(refused(process, lock.error()));
      return static_cast<int>(lock.error().code);
    }
    auto done = deploy_under_lock(process, *lock, telemetry);
    if (!done) {
      (void)process.trace->write_verdict(refused(process, done.error()));
      return static_cast<int>(done.error().code);
    }
    if (done->well) {
      // The verdict is out and the foreground has returned: the lock's next taker waits for this.
      lock->now_for(kPruneWork, process.id);
      prune(process);
    }
    left = std::move(done->leftover);
  }
  if (left) {
    stop_old_later(process, telemetry, *left);
  }
  return 0;
}

}  // namespace

int run_deploy_command(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return context.fail(place.error());
  }
  Process process;
  process.place = std::move(*place);
  process.id = context.argument("ID");
  const std::string folder =
      trace_folder(process.place.config->trace_dir, process.place.app->name, process.id);
  auto request = read_request(folder);
  if (!request || !*request) {
    return context.fail(request ? Error{ExitCode::kUsage, folder + "/request: there is none"}
                                : request.error());
  }
  process.request = **request;
  auto trace =
      TraceFolder::open(process.place.config->trace_dir, process.place.app->name, process.id);
  if (!trace) {
    return context.fail(trace.error());
  }
  process.trace = std::move(*trace);
  auto runner = lock_runner(folder);
  if (!runner) {
    return context.fail(runner.error());
  }
  process.events = trace_events(folder);
  auto runtime = make_runtime(*process.place.config, *process.place.app);
  if (!runtime) {
    (void)process.trace->write_verdict(refused(process, runtime.error()));
    return context.fail(runtime.error());
  }
  process.runtime = std::move(*runtime);
  process.runtime->stop_when([&process] { return process.clock.stop_requested(); });
  return run(process);
}

}  // namespace bluegreen
