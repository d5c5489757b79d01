// bgctl drain COLOR: closes the idle color and waits until its requests have ended.
//
// 0: the color is closed and nothing is in flight, which telemetry proves. 80: it is closed, and
// requests are still there when the time is up, or telemetry cannot prove that there are none;
// then says which. The active color is refused (2).
#include <algorithm>
#include <chrono>
#include <ctime>

#include "controller/commands/command.hpp"
#include "controller/commands/target.hpp"
#include "controller/output/printable.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

using std::chrono::steady_clock;

constexpr milliseconds kShortestPause{2};
constexpr milliseconds kLongestPause{50};
// Where no worker is to be seen (NGINX is down, telemetry missing) nothing will be proven by
// waiting longer than a restart takes.
constexpr milliseconds kBlindGrace{2'000};

void pause(milliseconds time) {
  const timespec span = {time.count() / 1000, (time.count() % 1000) * 1'000'000};
  ::nanosleep(&span, nullptr);
}

// The last view before the color was proven empty, or time was up.
Result<DrainView> wait_until_empty(CommandContext& context, const LockedApp& held, Color color,
                                   milliseconds timeout) {
  TelemetryFile telemetry(held.target.telemetry);
  const auto begin = steady_clock::now();
  milliseconds between = kShortestPause;
  std::uint64_t shown = 0;
  for (;;) {
    auto view = telemetry.drain_view(held.target.app, color, held.control->id());
    if (!view || (view->exact && view->in_flight == 0)) {
      return view;
    }
    const milliseconds limit = view->live_workers == 0 ? std::min(timeout, kBlindGrace) : timeout;
    if (steady_clock::now() - begin >= limit) {
      return view;
    }
    if (view->in_flight != shown) {
      shown = view->in_flight;
      context.events().emit(
          {std::chrono::system_clock::now(), "drain", StepState::kProgress,
           requests_text(shown) + " in flight on " + std::string(shm::name_of(color)),
           milliseconds{0}});
    }
    pause(between);
    between = std::min(between * 3 / 2, kLongestPause);
  }
}

Verdict verdict_of(const LockedApp& held, Color color, const shm::AppSnapshot& now,
                   const DrainView& view, milliseconds took) {
  const shm::EndpointTable& active = now.tables[shm::index_of(now.route.active)];
  const std::string name(shm::name_of(color));
  Verdict verdict;
  verdict.command = "drain";
  verdict.app = held.target.app;
  verdict.active = shm::name_of(now.route.active);
  verdict.release = shm::text_of(active.release);
  verdict.image = shm::text_of(active.image);
  verdict.previous = name;
  const std::string serving = "; " + verdict.active + " serves";
  if (view.exact && view.in_flight == 0) {
    verdict.headline = held.target.app + ": " + name + " is closed and empty, 0 requests in " +
                       "flight after " + readable(took) + serving;
    verdict.steps = {{"drain", took, "done"}};
    return verdict;
  }
  verdict.code = ExitCode::kDrainForced;
  verdict.steps = {{"drain", took, "failed"}};
  verdict.reason =
      view.exact ? requests_text(view.in_flight) + " in flight when the time was up" : view.reason;
  verdict.headline =
      held.target.app + ": " + name + " is closed, " +
      (view.exact ? requests_text(view.in_flight) + " still in flight"
                  : "not proven empty (" + requests_text(view.in_flight) + " seen)") +
      " after " + readable(took) + serving;
  verdict.hint = "it stays closed: drain again to wait on, or `bgctl switch " + name +
                 "` to open it and make it serve";
  return verdict;
}

}  // namespace

int drain_command(CommandContext& context) {
  const auto color = parse_color(context.argument("COLOR"));
  const auto timeout = context.duration("--timeout", milliseconds{30'000});
  if (!color || !timeout) {
    return context.fail(!color ? color.error() : timeout.error());
  }
  const auto held = lock_app(context, "drain");
  if (!held) {
    return context.fail(held.error());
  }
  if (held->target.telemetry.empty()) {
    return context.fail(Error{ExitCode::kUsage,
                              "expected --telemetry FILE beside --control: only telemetry can tell "
                              "what is in flight",
                              {},
                              {}});
  }
  const auto begin = steady_clock::now();
  const auto closed = held->control->close(held->target.app, *color);
  if (!closed) {
    return context.fail(closed.error());
  }
  const auto view = wait_until_empty(context, *held, *color, *timeout);
  const auto now = held->control->read(held->target.app);
  if (!view || !now) {
    return context.fail(!view ? view.error() : now.error());
  }
  const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
  return context.finish(verdict_of(*held, *color, *now, *view, took));
}

}  // namespace bluegreen
