// bgctl status: what serves now. Exit 0 when it could tell; 2 when the control file is missing,
// foreign or damaged, and then it still prints what it knows. Has what an interrupted deploy has
// left finished or undone before it looks, where it may; see interrupted.hpp.
#include "controller/commands/interrupted.hpp"
#include "controller/commands/status_view.hpp"
#include "controller/regions/control_file.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

std::string state_word(shm::OpenResult result) {
  return result == shm::OpenResult::kOk       ? "ok"
         : result == shm::OpenResult::kAbsent ? "missing"
                                              : "damaged";
}

AppView look_at_app(ControlFile& control, const std::string& name, TelemetryFile& telemetry,
                    bool telemetry_ok) {
  AppView app;
  app.name = name;
  if (auto snapshot = control.read(name)) {
    app.snapshot = *snapshot;
    app.hold_left = std::chrono::ceil<std::chrono::milliseconds>(control.hold_left(*snapshot));
  } else {
    app.reason = snapshot.error().what;
  }
  for (const Color color : shm::kColors) {
    if (const auto figures = telemetry.figures(name, color); telemetry_ok && figures) {
      app.figures[shm::index_of(color)] = *figures;
    }
    app.details[shm::index_of(color)] = telemetry.detail_figures(name, color);
    if (app.snapshot) {
      const std::size_t c = shm::index_of(color);
      app.probes[c] = telemetry.probes(name, color, app.snapshot->tables[c]);
    }
  }
  return app;
}

}  // namespace

StatusView look_at(const Target& target) {
  StatusView view;
  ControlState state;
  const auto control =
      ControlFile::open(target.control, ControlAccess::kRead, target.run_dir, state);
  view.control = {state_word(state.result), target.control, state.error, state.hint};
  view.control_id = control ? control->id() : 0;

  TelemetryFile telemetry(target.telemetry);
  const TelemetryState workers = telemetry.state(view.control_id);
  view.telemetry = {state_word(workers.result), target.telemetry, workers.error, {}};
  view.live_workers = workers.live_workers;
  view.attached_workers = workers.attached_workers;
  view.slotless = workers.slotless;
  view.prober = telemetry.prober();
  if (!control) {
    return view;
  }
  const bool telemetry_ok = workers.result == shm::OpenResult::kOk;
  for (const std::string& name : control->apps()) {
    if (target.app.empty() || target.app == name) {
      view.apps.push_back(look_at_app(*control, name, telemetry, telemetry_ok));
    }
  }
  for (const std::string& damage : control->damage()) {
    view.control.state = "damaged";
    view.control.reason += (view.control.reason.empty() ? "" : "; ") + damage;
    view.control.hint = "NGINX goes on with what it accepted last";
  }
  return view;
}

int status_command(CommandContext& context) {
  auto target = context.target();
  if (!target) {
    return context.fail(target.error());
  }
  finish_interrupted(context);
  // Without --app all applications are shown, the configuration's only one or not.
  target->app = context.global().app;
  const StatusView view = look_at(*target);
  const bool ok = view.control.state == "ok";
  if (ok && !target->app.empty() && view.apps.empty()) {
    return context.fail(Error{ExitCode::kUsage,
                              target->control + ": there is no application \"" + target->app + "\"",
                              "see them all with `bgctl status`"});
  }
  context.done(context.json() ? status_json(view) : status_table(view));
  if (!ok) {
    context.err().write("bgctl status: " + view.control.reason + "\n" +
                        (view.control.hint.empty() ? "" : "  " + view.control.hint + "\n"));
  }
  return static_cast<int>(ok ? ExitCode::kDone : ExitCode::kUsage);
}

}  // namespace bluegreen
