// bgctl hold and bgctl release: new requests wait in NGINX, without an upstream connection, until
// they are let go to whichever color is active then. The hold ends by itself at its deadline, or
// with this boot; nobody has to be alive for it.
#include <chrono>

#include "controller/commands/command.hpp"
#include "controller/commands/target.hpp"
#include "controller/output/printable.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

constexpr milliseconds kUsualHold{30'000};

Result<milliseconds> hold_length(const CommandContext& context) {
  auto length = context.duration("--for", kUsualHold);
  if (length && (length->count() == 0 || *length > kLongestHold)) {
    return fail(ExitCode::kUsage,
                "--for: expected \"1ms\" to \"24h\", found \"" +
                    printable(*context.option("--for")) + "\"" +
                    (length->count() == 0 ? "; to end a hold: bgctl release" : ""));
  }
  return length;
}

std::uint64_t waiting_now(const Target& target) {
  std::uint64_t waiting = 0;
  TelemetryFile telemetry(target.telemetry);
  for (const Color color : shm::kColors) {
    if (const auto figures = telemetry.figures(target.app, color)) {
      waiting += figures->waiting;
    }
  }
  return waiting;
}

}  // namespace

int hold_command(CommandContext& context) {
  const auto length = hold_length(context);
  if (!length) {
    return context.fail(length.error());
  }
  const auto locked = lock_app(context, "hold");
  if (!locked) {
    return context.fail(locked.error());
  }
  ControlFile& control = *locked->control;
  const std::string& app = locked->target.app;
  const auto before = control.read(app);
  const auto generation = control.hold(app, *length);
  if (!before || !generation) {
    return context.fail(!before ? before.error() : generation.error());
  }
  const auto now = control.read(app);
  if (!now) {
    return context.fail(now.error());
  }
  const auto left = std::chrono::ceil<milliseconds>(control.hold_left(*now));
  const bool prolonged = control.hold_left(*before).count() > 0;
  Verdict verdict = verdict_about("hold", app, *now);
  verdict.figures = {{"hold_left_ms", left.count()}};
  verdict.headline = app + ": new requests wait until " +
                     utc_time_ms(std::chrono::system_clock::now() + left) + " (" + readable(left) +
                     (prolonged ? ", they waited already" : "") +
                     "); then, or by `bgctl release`, " + "they go to " + verdict.active +
                     ", generation " + std::to_string(*generation);
  verdict.hint =
      "a request that waits longer than its bluegreen_hold timeout (30s) is answered 503";
  add_attach_doubt(*locked, verdict);
  return context.finish(verdict);
}

int release_command(CommandContext& context) {
  const auto locked = lock_app(context, "release");
  if (!locked) {
    return context.fail(locked.error());
  }
  const std::string& app = locked->target.app;
  const auto before = locked->control->read(app);
  if (!before) {
    return context.fail(before.error());
  }
  const std::uint64_t waiting = waiting_now(locked->target);
  const bool held = locked->control->hold_left(*before).count() > 0;
  const auto generation = locked->control->release(app);
  if (!generation) {
    return context.fail(generation.error());
  }
  Verdict verdict = verdict_about("release", app, *before);
  verdict.figures = {{"waiting", static_cast<std::int64_t>(waiting)}};
  verdict.headline =
      !held ? app + ": nothing is held; " + verdict.active + " serves"
            : app + ": released, " + std::to_string(waiting) +
                  (waiting == 1 ? " waiting request goes to " : " waiting requests go to ") +
                  verdict.active + ", generation " + std::to_string(*generation);
  return context.finish(verdict);
}

}  // namespace bluegreen
