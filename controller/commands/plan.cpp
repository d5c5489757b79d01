// bgctl plan IMAGE: what `bgctl deploy IMAGE` would do now, step by step, and whether it could, as
// far as that can be told without acting. Takes no lock, writes no trace, pulls and starts nothing.
// Ends with 0 when a deploy would begin, else with the code that the deploy would end with.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/commands/deploy_place.hpp"
#include "controller/commands/make_runtime.hpp"
#include "controller/config/duration.hpp"
#include "controller/deploy/planned_steps.hpp"
#include "controller/host/hook_runner.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

// Steps that are asked for their plan have a trace, and may not write it.
class NoTrace : public TracePort {
 public:
  Result<void> append(const JournalRecord&) override { return refused(); }
  Result<std::vector<JournalRecord>> records() override { return std::vector<JournalRecord>(); }
  Result<void> write_verdict(const Verdict&) override { return refused(); }
  Result<void> mark_contract(const ContractMark&) override { return refused(); }
  Result<void> mark_last_image(const std::string&) override { return refused(); }
  void keep_log(const std::string&, const std::string&) override {}
  std::string folder() const override { return {}; }

 private:
  static Result<void> refused() { return fail(ExitCode::kPreflight, "a plan writes nothing"); }
};

struct PlanCheck {
  std::string name;
  ExitCode code = ExitCode::kDone;  // else what a deploy would end with
  std::string found;
  std::string hint;
};

PlanCheck failed(const std::string& name, const Error& error, ExitCode code) {
  return {name, code, error.what, error.hint};
}

PlanCheck check_lock(const DeployPlace& place) {
  const std::string& run_dir = place.target.run_dir;
  const auto holder = lock_holder(run_dir, place.lock_name());
  if (!is_locked(run_dir, place.lock_name())) {
    return {"lock", ExitCode::kDone, "free", ""};
  }
  if (!holder || is_housekeeping(*holder)) {
    return {"lock", ExitCode::kDone, "taken for a moment; a deploy would wait", ""};
  }
  return {"lock", ExitCode::kLocked,
          "taken by " + holder->command + (holder->id.empty() ? "" : " " + holder->id) + " (pid " +
              std::to_string(holder->pid) + ") since " + holder->since,
          "wait for it"};
}

PlanCheck check_interrupted(const DeployPlace& place) {
  const auto list = TraceFolders(place.config->trace_dir).list(place.app->name);
  if (!list) {
    return failed("history", list.error(), ExitCode::kPreflight);
  }
  for (const TraceSummary& deploy : *list) {
    if (!deploy.verdict && !deploy.alive) {
      return {"history", ExitCode::kDone,
              "deploy " + deploy.id + " was interrupted; the deploy would finish or undo it first",
              "or do it now: bgctl recover"};
    }
  }
  return {"history", ExitCode::kDone, "no deploy was interrupted", ""};
}

// All that a deploy would find before it moves anything.
std::vector<PlanCheck> check_all(const DeployPlace& place, Runtime& runtime, const Plan& plan) {
  std::vector<PlanCheck> checks = {check_lock(place), check_interrupted(place)};
  const auto checked = runtime.preflight(plan.idle);
  checks.push_back(checked ? PlanCheck{"preflight", ExitCode::kDone, "passed", ""}
                           : failed("preflight", checked.error(), ExitCode::kPreflight));
  const auto found = runtime.find(plan.image);
  if (!found) {
    checks.push_back(failed("image", found.error(), ExitCode::kPull));
  } else if (plan.release.size() >= shm::kReleaseSize || found->size() >= 2 * shm::kImageSize) {
    checks.push_back({"image", ExitCode::kPreflight,
                      "its name is longer than the control region can hold",
                      "give it a shorter tag"});
  } else {
    checks.push_back({"image", ExitCode::kDone, *found, ""});
  }
  return checks;
}

std::string release_in_words(const Labels& labels) {
  return labels.release.empty() ? "a release without a name" : printable(labels.release);
}

std::string column(std::string text, std::size_t width) {
  text.append(text.size() < width ? width - text.size() : 0, ' ');
  return text + " ";
}

struct Answer {
  Plan plan;
  milliseconds within;
  std::vector<PlannedStep> steps;
  std::vector<PlanCheck> checks;
  ExitCode code = ExitCode::kDone;
};

std::string as_json(const Answer& answer) {
  json steps = json::array();
  for (const PlannedStep& step : answer.steps) {
    steps.push_back({{"step", step.name},
                     {"does", step.does},
                     {"limit_ms", step.limit.count()},
                     {"on_failure", step.on_failure == OnFailure::kUndo ? "undo" : "keep_going"},
                     {"exit", static_cast<int>(step.code)},
                     {"then", step.then}});
  }
  json checks = json::array();
  for (const PlanCheck& check : answer.checks) {
    checks.push_back({{"check", check.name},
                      {"ok", check.code == ExitCode::kDone},
                      {"exit", static_cast<int>(check.code)},
                      {"found", check.found},
                      {"hint", check.hint}});
  }
  return json({{"schema", 1},
               {"app", answer.plan.app},
               {"image", answer.plan.image},
               {"active", text(answer.plan.active())},
               {"idle", text(answer.plan.idle)},
               {"release", answer.plan.active_before.release},
               {"deploy_within_ms", answer.within.count()},
               {"exit", static_cast<int>(answer.code)},
               {"checks", std::move(checks)},
               {"steps", std::move(steps)}})
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

// Like a verdict: what comes of it first, because SSM keeps the head.
std::string as_text(const Answer& answer) {
  const Plan& plan = answer.plan;
  std::string out =
      answer.code == ExitCode::kDone
          ? "deploy would begin: "
          : "deploy would end with " + std::to_string(static_cast<int>(answer.code)) + ": ";
  out += text(plan.active()) + " serves " + release_in_words(plan.active_before) + ", " +
         printable(plan.image) + " would go to " + text(plan.idle) + "\n";
  for (const PlanCheck& check : answer.checks) {
    out += "  " + column(check.code == ExitCode::kDone ? "ok" : "FAIL", 4) + column(check.name, 9) +
           printable(check.found) + "\n";
    if (!check.hint.empty()) {
      out += std::string(17, ' ') + printable(check.hint) + "\n";
    }
  }
  out += "steps, within " + duration_text(answer.within) + " in all up to the drain\n";
  for (const PlannedStep& step : answer.steps) {
    out += "  " + column(step.name, 9) + printable(step.does) + " (" + duration_text(step.limit) +
           "; if not: " + step.then + ")\n";
  }
  return out;
}

}  // namespace

int plan_command(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kRead);
  if (!place) {
    return context.fail(place.error());
  }
  auto runtime = make_runtime(*place->config, *place->app);
  if (!runtime) {
    return context.fail(runtime.error());
  }
  auto plan = plan_deploy(*place->control, place->app->name, "plan", context.argument("IMAGE"));
  if (!plan) {
    return context.fail(plan.error());
  }
  SystemClock clock;
  TelemetryFile telemetry(place->target.telemetry);
  NoTrace trace;
  HookRunner hooks(place->target.run_dir, place->lock_name(), {});
  World world{.control = *place->control,
              .telemetry = telemetry,
              .runtime = **runtime,
              .clock = clock,
              .hooks = hooks,
              .trace = trace,
              .events = context.events(),
              .control_id = place->control->id()};
  Deploy deploy{world, *place->app, *plan};
  Answer answer;
  answer.plan = *plan;
  answer.within = place->app->deploy_within;
  answer.checks = check_all(*place, **runtime, *plan);
  answer.steps = planned_steps(deploy);
  for (const PlanCheck& check : answer.checks) {
    answer.code = answer.code == ExitCode::kDone ? check.code : answer.code;
  }
  return context.done(context.json() ? as_json(answer) : as_text(answer), answer.code);
}

}  // namespace bluegreen
