// See interrupted.hpp.
#include "controller/commands/interrupted.hpp"

#include <unistd.h>

#include <thread>

#include "controller/commands/deploy_place.hpp"
#include "controller/host/detach.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/trace.hpp"

namespace bluegreen {
namespace {

// How long a status waits for the recovery that it has started. Most have nothing but a process to
// end; the others are found in progress.
constexpr milliseconds kWait{700};
constexpr milliseconds kBetweenLooks{5};

void say(CommandContext& context, const std::string& what) {
  context.events().emit(
      {std::chrono::system_clock::now(), "recover", StepState::kProgress, what, {}});
}

// True when the deploy has its verdict, false when that takes longer than a status may.
bool wait_for_verdict(const std::string& folder) {
  const auto until = std::chrono::steady_clock::now() + kWait;
  while (std::chrono::steady_clock::now() < until) {
    if (auto verdict = read_verdict(folder); verdict && *verdict) {
      return true;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return false;
}

void finish_one(CommandContext& context, const Config& config, const std::string& app) {
  const auto deploys = TraceFolders(config.trace_dir).interrupted(app);
  if (deploys.empty()) {
    return;
  }
  GlobalOptions options = context.global();
  options.app = app;
  Invocation invocation;
  invocation.global = options;
  CommandContext of_app(std::move(invocation), context.out(), context.err());
  auto place = open_place(of_app, ControlAccess::kChange);
  if (!place || is_locked(place->target.run_dir, place->lock_name())) {
    return;
  }
  const std::string& id = deploys.front();
  const std::string folder = trace_folder(config.trace_dir, app, id);
  DetachRequest request;
  request.program = own_program();
  request.arguments = place_arguments(options, app);
  request.arguments.insert(request.arguments.begin(), "recover");
  request.log = folder + "/log";
  if (!start_in_own_session(request)) {
    return;
  }
  if (!wait_for_verdict(folder)) {
    say(context, "deploy " + id + " of " + app +
                     " was interrupted: `bgctl recover` was started and is at work, see " +
                     request.log);
    return;
  }
  auto verdict = read_verdict(folder);
  say(context, "deploy " + id + " of " + app + " was interrupted and is settled now: " +
                   (verdict && *verdict ? (*verdict)->headline : ""));
}

}  // namespace

void finish_interrupted(CommandContext& context) {
  if (!context.global().control.empty() && !context.global().config_given) {
    return;  // without a configuration there are no traces to look at
  }
  auto config = context.config();
  if (!config) {
    return;
  }
  const std::string& wanted = context.global().app;
  for (const auto& [name, app] : (*config)->apps) {
    if (wanted.empty() || wanted == name) {
      finish_one(context, **config, name);
    }
  }
}

}  // namespace bluegreen
