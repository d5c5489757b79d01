// bgctl run-deploy ID (hidden): the deploy itself, in the process that deploy and rollback have
// detached. Reads the request from its trace folder; holds the folder's runner lock for its life
// and the application's lock while it changes something; leaves verdict.json. Whatever goes wrong
// before the driver runs becomes a verdict too: the foreground has nothing else to go by.
//
// After the verdict it stays for keep_old, without the lock, and then stops the old color.
#include <cstdio>

#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"
#include "controller/commands/make_runtime.hpp"
#include "controller/deploy/driver.hpp"
#include "controller/deploy/keep_old.hpp"
#include "controller/deploy/recover.hpp"
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

// The image before the present one, as the traces know it: the last that was put in service and is
// not what serves now.
Labels remembered(TraceStore& traces, const std::string& app, const std::string& serving) {
  auto list = traces.list(app);
  if (!list) {
    return {};
  }
  for (const TraceSummary& summary : *list) {
    if (!summary.verdict) {
      continue;
    }
    const Verdict& verdict = *summary.verdict;
    const bool served = verdict.code == ExitCode::kDone || verdict.code == ExitCode::kDrainForced;
    if (served && !verdict.image.empty() && verdict.image != serving) {
      return {verdict.release, verdict.image, summary.id};
    }
  }
  return {};
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
  return plan_rollback(control, *process.runtime, app, process.id,
                       remembered(traces, app, serving.image));
}

// Under the lock: recovery, plan, steps. The verdict is written unless it is returned as an error.
Result<std::optional<Leftover>> deploy_under_lock(Process& process, TelemetryFile& telemetry) {
  DeployPlace& place = process.place;
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
      return std::nullopt;  // an earlier attempt of this deploy, finished now
    }
  }
  auto plan = make_plan(process, traces);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  World world{*place.control, telemetry,       *process.runtime,   process.clock,
              *process.trace, *process.events, place.control->id()};
  Deploy deploy{world, *place.app, std::move(*plan), {}, {}, {}, {}};
  Driver(deploy).run();
  return deploy.leftover;
}

void stop_old_later(Process& process, TelemetryFile& telemetry, const Leftover& left) {
  constexpr milliseconds kAgain{1'000};
  DeployPlace& place = process.place;
  if (!process.clock.wait(left.keep)) {
    return;
  }
  for (;;) {
    auto lock =
        HostLock::acquire(place.target.run_dir, place.lock_name(), "application " + left.app,
                          LockHolder{0, "keep-old", process.id, {}});
    if (lock) {
      auto end =
          stop_leftover(*place.control, telemetry, *process.runtime, place.control->id(), left);
      if (!end) {
        process.events->emit(
            {process.clock.wall(), "stop", StepState::kFailed, end.error().what, {}});
        return;
      }
      if (*end != LeftoverEnd::kNotDrained) {
        process.events->emit({process.clock.wall(),
                              "stop",
                              StepState::kDone,
                              *end == LeftoverEnd::kStopped
                                  ? text(left.color) + " is stopped, keep_old is over"
                                  : text(left.color) + " has changed since and is left alone",
                              {}});
        return;
      }
    } else if (lock.error().code != ExitCode::kLocked) {
      return;
    }
    // Somebody is at work on the application: if that changes it, the next look says so.
    if (!process.clock.wait(kAgain)) {
      return;
    }
  }
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
    auto done = deploy_under_lock(process, telemetry);
    if (!done) {
      (void)process.trace->write_verdict(refused(process, done.error()));
      return static_cast<int>(done.error().code);
    }
    left = std::move(*done);
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
  return run(process);
}

}  // namespace bluegreen
