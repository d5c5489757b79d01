// bgctl run-deploy ID (hidden): the deploy itself, in the process that deploy and rollback have
// detached. Reads the request from its trace folder; holds the folder's runner lock for its life
// and the application's lock while it changes something; leaves verdict.json. Whatever goes wrong
// before the driver runs becomes a verdict too: the foreground has nothing else to go by.
//
// After the verdict it prunes images, still under the lock (prune_images.hpp). Then it stays for
// keep_old, without the lock, and stops the old color (keep_old_wait.hpp).
#include <unistd.h>

#include "controller/commands/keep_old_wait.hpp"
#include "controller/commands/make_runtime.hpp"
#include "controller/commands/notify_end.hpp"
#include "controller/commands/prune_images.hpp"
#include "controller/commands/prune_traces.hpp"
#include "controller/commands/target.hpp"
#include "controller/deploy/contract.hpp"
#include "controller/deploy/driver.hpp"
#include "controller/deploy/recover.hpp"
#include "controller/deploy/releases.hpp"
#include "controller/deploy/steps/hooks.hpp"
#include "controller/host/hook_runner.hpp"
#include "controller/host/lock.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

// A deploy that was refused before its driver ran.
Verdict refused(const DeployProcess& process, const Error& error) {
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

Result<Plan> make_plan(DeployProcess& process, TraceStore& traces) {
  ControlFile& control = *process.place.control;
  const std::string& app = process.place.app->name;
  if (process.request.command == kContract) {
    return plan_contract(control, app, process.id);
  }
  if (process.request.command != "rollback") {
    auto plan = plan_deploy(control, app, process.id, process.request.image);
    if (plan) {
      plan->pause = {process.request.pause_before, process.request.pause_for};
    }
    return plan;
  }
  auto now = control.read(app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const Labels serving = labels_of(now->tables[shm::index_of(now->route.active)]);
  const auto list = traces.list(app);
  auto plan = plan_rollback(control, *process.runtime, app, process.id,
                            list ? release_before(*list, serving.image) : Labels{});
  const auto mark = traces.contract_mark(app);
  if (!plan || !mark) {
    return plan ? tl::unexpected(mark.error()) : plan;
  }
  const auto allowed = may_roll_back(*mark, *plan, list ? *list : std::vector<TraceSummary>{});
  return allowed ? plan : tl::unexpected(allowed.error());
}

struct Ended {
  bool well = false;  // a new release is in service
  std::optional<Leftover> leftover;
};

// Under the lock: recovery, plan, steps. The verdict is written unless it is returned as an error.
Result<Ended> deploy_under_lock(DeployProcess& process, HostLock& lock, TelemetryFile& telemetry) {
  DeployPlace& place = process.place;
  auto ended = end_left_hold(lock, *place.control, place.app->name, *process.events);
  if (!ended) {
    return tl::unexpected(ended.error());
  }
  TraceFolders traces(place.config->trace_dir);
  RecoveryWorld recovery{.control = *place.control,
                         .telemetry = telemetry,
                         .runtime = *process.runtime,
                         .clock = process.clock,
                         .hooks = *process.hooks,
                         .traces = traces,
                         .events = *process.events,
                         .control_id = place.control->id()};
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
  World world{.control = *place.control,
              .telemetry = telemetry,
              .runtime = *process.runtime,
              .clock = process.clock,
              .hooks = *process.hooks,
              .trace = *process.trace,
              .events = *process.events,
              .control_id = place.control->id(),
              .orders = process.orders.get(),
              .smoke = process.smoke.get()};
  Deploy deploy{.world = world, .config = *place.app, .plan = std::move(*plan)};
  const Verdict verdict = Driver(deploy).run();
  const ExitCode code = verdict.code;
  process.post_stop_environment = hook_environment(deploy, "post_stop");
  // The foreground has returned: who wants the lock now waits for it.
  lock.now_for(kOnFailureWork, process.id);
  run_on_failure(deploy, verdict);
  return Ended{code == ExitCode::kDone || code == ExitCode::kDrainForced, deploy.leftover};
}

// The lock is free when it returns. An error: it was refused, and that is the verdict.
Result<Ended> work(DeployProcess& process, TelemetryFile& telemetry) {
  DeployPlace& place = process.place;
  // The foreground has looked already; this is for two that came at the same moment.
  auto lock =
      HostLock::acquire(place.target.run_dir, place.lock_name(), "application " + place.app->name,
                        LockHolder{0, process.request.command, process.id, {}}, milliseconds(200));
  auto done = lock ? deploy_under_lock(process, *lock, telemetry)
                   : Result<Ended>(tl::unexpected(lock.error()));
  // The deploy has ended: an order that came too late is not about what follows.
  process.clock.heed(-1, {});
  process.orders.reset();
  if (!done) {
    (void)process.trace->write_verdict(refused(process, done.error()));
    return done;
  }
  // The verdict is out and the foreground has returned: the lock's next taker waits for this.
  lock->now_for(kPruneWork, process.id);
  if (done->well) {
    prune_images(process);
  }
  prune_traces(process);
  return done;
}

int run(DeployProcess& process) {
  TelemetryFile telemetry(process.place.target.telemetry);
  const auto done = work(process, telemetry);
  notify_end(process);
  if (done && done->leftover) {
    keep_old_then_stop(process, telemetry, *done->leftover);
  }
  return done ? 0 : static_cast<int>(done.error().code);
}

}  // namespace

int run_deploy_command(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return context.fail(place.error());
  }
  DeployProcess process;
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
    notify_end(process);
    return context.fail(runtime.error());
  }
  process.runtime = std::move(*runtime);
  const auto stop_asked = [&process] { return process.clock.stop_requested(); };
  process.runtime->stop_when(stop_asked);
  process.smoke = make_smoke(*process.place.app, stop_asked);
  process.orders = std::make_unique<DeployOrders>(
      OrderTo{process.place.target.run_dir, process.place.lock_name(), process.id, ::getpid()});
  process.clock.heed(process.orders->changes(), [&process] { return process.orders->why_stop(); });
  process.hooks = std::make_unique<HookRunner>(process.place.target.run_dir,
                                               process.place.lock_name(), stop_asked);
  return run(process);
}

}  // namespace bluegreen
