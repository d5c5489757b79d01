// bgctl switch COLOR: the flip, one durable store. Works without configuration and without Docker;
// its whole process is meant to cost no more than /bin/true and 5 ms. When it returns, every worker
// that lives has seen the flip; where that cannot be had in 3 s, the verdict says so.
//
// With --hold no two colors are at work at one moment: deploy/hold_switch.hpp. It needs telemetry,
// and ends with 60 and everything as it was when the time is up.
#include <chrono>

#include "controller/commands/command.hpp"
#include "controller/commands/target.hpp"
#include "controller/deploy/hold_switch.hpp"
#include "controller/deploy/steps/color.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/output/printable.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

// Below the 30 s of bluegreen_hold: a request held from the first moment on is not answered 503
// before the way back.
constexpr milliseconds kHoldLimit{20'000};

Verdict verdict_of(const std::string& app, Color color, const shm::AppSnapshot& before,
                   std::uint64_t generation) {
  const bool was_active = before.route.active == color;
  shm::AppSnapshot after = before;
  after.route.active = color;
  Verdict verdict = verdict_about("switch", app, after);
  verdict.previous = shm::name_of(before.route.active);
  verdict.headline = app + ": " + verdict.active +
                     (was_active ? " serves already" : " serves now") + " (" +
                     describe_release(after.tables[shm::index_of(color)]) + ", generation " +
                     std::to_string(generation) + ")";
  return verdict;
}

// What goes on besides the flip, which the operator may have forgotten.
std::string still_in_force(ControlPort& control, const shm::AppSnapshot& now) {
  const std::string kept = kept_in_force(control, now);
  return kept.empty() ? kept : "; " + kept;
}

int switch_now(CommandContext& context, LockedApp& locked, Color color,
               const shm::AppSnapshot& before) {
  const std::string& app = locked.target.app;
  const auto generation = locked.control->activate(app, color);
  if (!generation) {
    return context.fail(generation.error());
  }
  Verdict verdict = verdict_of(app, color, before, *generation);
  verdict.headline += still_in_force(*locked.control, before);
  add_attach_doubt(locked, verdict);
  return context.finish(verdict);
}

// What the region has now is what is said to serve, whatever was wanted.
Verdict held_verdict(const std::string& app, Color color, const shm::AppSnapshot& now,
                     const HoldSwitchEnd& end, milliseconds took) {
  const std::string color_name(shm::name_of(color));
  Verdict verdict = verdict_about("switch", app, now);
  verdict.code = end.code;
  verdict.reason = end.reason;
  verdict.steps = end.steps;
  verdict.previous = shm::name_of(shm::other(color));
  verdict.figures = {{"held_ms", end.held.count()}, {"took_ms", took.count()}};
  const shm::EndpointTable& table = now.tables[shm::index_of(now.route.active)];
  const std::string serving = verdict.active + " serves (" + describe_release(table) +
                              ", generation " + std::to_string(now.generation) + ")";
  if (end.code == ExitCode::kDone) {
    verdict.headline = app + ": " + verdict.active + " serves now (" + describe_release(table) +
                       ", generation " + std::to_string(end.generation) +
                       "), with nothing in flight at the flip; new requests waited " +
                       readable(end.held) + " at most, took " + readable(took);
  } else if (end.code == ExitCode::kRollbackFailed) {
    verdict.headline = app + ": the switch to " + color_name +
                       " was left in the middle, an operator is needed: " + serving;
  } else {
    verdict.headline = app + ": not switched to " + color_name + " after " + readable(took) + ": " +
                       serving + " as before";
  }
  return verdict;
}

int switch_with_hold(CommandContext& context, LockedApp& locked, Color color, milliseconds limit) {
  const std::string& app = locked.target.app;
  const auto begin = std::chrono::steady_clock::now();
  TelemetryFile telemetry(locked.target.telemetry);
  SystemClock clock;
  HoldSwitchWorld world{*locked.control, telemetry, clock, context.events(), locked.control->id()};
  const auto end = switch_held(world, app, color, limit);
  if (!end) {
    return context.fail(end.error());
  }
  const auto now = locked.control->read(app);
  if (!now) {
    return context.fail(now.error());
  }
  const auto took =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  Verdict verdict = held_verdict(app, color, *now, *end, took);
  verdict.headline += still_in_force(*locked.control, *now);
  if (end->code == ExitCode::kGate) {
    verdict.hint = end->steps.empty() ? "`bgctl doctor` says what NGINX lacks; a switch without "
                                        "--hold needs no proof"
                                      : "give it longer with --timeout, or switch without --hold";
  }
  return context.finish(verdict);
}

Result<milliseconds> hold_limit(const CommandContext& context) {
  if (!context.has_switch("--hold") && context.option("--timeout")) {
    return fail(ExitCode::kUsage,
                "--timeout: expected together with --hold: a plain switch waits for nobody");
  }
  auto limit = context.duration("--timeout", kHoldLimit);
  if (limit && *limit + kHoldMargin > kLongestHold) {
    return fail(ExitCode::kUsage, "--timeout: expected less than 24h, found \"" +
                                      printable(*context.option("--timeout")) + "\"");
  }
  return limit;
}

}  // namespace

int switch_command(CommandContext& context) {
  const auto color = parse_color(context.argument("COLOR"));
  const auto limit = hold_limit(context);
  if (!color || !limit) {
    return context.fail(!color ? color.error() : limit.error());
  }
  const bool hold = context.has_switch("--hold");
  const auto target = context.target();
  if (hold && target && target->telemetry.empty()) {
    return context.fail(Error{ExitCode::kUsage,
                              "--hold: expected --telemetry FILE beside --control: only telemetry "
                              "can tell that nothing is in flight",
                              {},
                              {}});
  }
  auto locked = lock_app(context, "switch");
  if (!locked) {
    return context.fail(locked.error());
  }
  const std::string& app = locked->target.app;
  const auto before = locked->control->read(app);
  if (!before) {
    return context.fail(before.error());
  }
  if (before->route.active != *color && !context.has_switch("--force")) {
    if (const auto serves = something_serves(*before, app, *color); !serves) {
      return context.fail(serves.error());
    }
    if (const auto well = somebody_is_well(*locked, *before, *color); !well) {
      return context.fail(well.error());
    }
  }
  if (!hold || before->route.active == *color) {
    return switch_now(context, *locked, *color, *before);
  }
  // Should we be killed, the next command ends the hold for us; but somebody's own nobody may.
  if (locked->control->hold_left(*before).count() == 0) {
    locked->lock.now_for(kSwitchHoldWork, {});
  }
  return switch_with_hold(context, *locked, *color, *limit);
}

}  // namespace bluegreen
