// bgctl maintenance on|off: whether NGINX answers every new request of the application itself, with
// 503, Retry-After and the page that bluegreen_maintenance names. One durable store; it stays over
// switches, deploys and restarts until it is taken off.
#include "controller/commands/command.hpp"
#include "controller/commands/target.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {

int maintenance_command(CommandContext& context) {
  const std::string word = context.argument("STATE");
  if (word != "on" && word != "off") {
    return context.fail(Error{
        ExitCode::kUsage, "STATE: expected on or off, found \"" + printable(word) + "\"", {}, {}});
  }
  const bool on = word == "on";
  const auto locked = lock_app(context, "maintenance");
  if (!locked) {
    return context.fail(locked.error());
  }
  const std::string& app = locked->target.app;
  const auto before = locked->control->read(app);
  const auto generation = locked->control->set_maintenance(app, on);
  if (!before || !generation) {
    return context.fail(!before ? before.error() : generation.error());
  }
  Verdict verdict = verdict_about("maintenance", app, *before);
  verdict.figures = {{"maintenance", on ? 1 : 0}};
  verdict.headline =
      app + ": maintenance is " + word +
      (before->route.has(shm::kMaintenance) == on ? " already" : "") +
      (on ? ", new requests are answered 503; " + verdict.active + " is the active color"
          : ", " + verdict.active + " serves") +
      ", generation " + std::to_string(*generation);
  add_attach_doubt(*locked, verdict);
  return context.finish(verdict);
}

}  // namespace bluegreen
