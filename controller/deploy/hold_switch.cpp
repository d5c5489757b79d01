// See hold_switch.hpp.
#include "controller/deploy/hold_switch.hpp"

#include <algorithm>

#include "controller/deploy/drain_wait.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using TimePoint = std::chrono::steady_clock::time_point;

// Clients wait meanwhile: looked at often.
constexpr milliseconds kShortestPause{1};
constexpr milliseconds kLongestPause{5};

// A worker's clock is that of its event loop and may be a turn behind when it takes a ticket over,
// and then find it run out so much too early.
constexpr milliseconds kClockSlack{1'000};
static_assert(kClockSlack < kHoldMargin);

class Sequence {
 public:
  Sequence(HoldSwitchWorld& world, const std::string& app, Color to, const shm::AppSnapshot& before,
           milliseconds limit)
      : world_(world),
        app_(app),
        to_(to),
        old_(shm::other(to)),
        before_(before),
        deadline_(world.clock.now() + limit) {}

  Result<HoldSwitchEnd> run();

 private:
  // That telemetry can prove something; that it proves that old, or neither color, has a request.
  enum class Wanted { kProof, kOldEmpty, kBothEmpty };
  // Empty when it is so.
  std::string wait_for(Wanted wanted, TimePoint deadline);
  Result<std::uint64_t> store(const std::string& what, const RouteEdit& edit);
  Result<std::uint64_t> hold();
  Result<std::uint64_t> flip();
  // Ends a step: how long it took, since the one before.
  void note(const std::string& step, const std::string& status);
  HoldSwitchEnd go_back(const std::string& step, const std::string& why);
  HoldSwitchEnd finish();

  HoldSwitchWorld& world_;
  const std::string& app_;
  Color to_;
  Color old_;
  const shm::AppSnapshot& before_;
  TimePoint deadline_;
  TimePoint held_since_{};
  TimePoint step_since_{};
  HoldSwitchEnd end_;
};

std::string Sequence::wait_for(Wanted wanted, TimePoint deadline) {
  milliseconds between = kShortestPause;
  std::string shown;
  for (;;) {
    // Old last: what is in flight may still go over to the active color, but from there to none.
    Color color = wanted == Wanted::kBothEmpty ? to_ : old_;
    auto view = world_.telemetry.drain_view(app_, color, world_.control_id);
    if (color == to_ && view && view->exact && view->in_flight == 0) {
      color = old_;
      view = world_.telemetry.drain_view(app_, color, world_.control_id);
    }
    if (view && view->exact && (wanted == Wanted::kProof || view->in_flight == 0)) {
      return {};
    }
    if (world_.clock.now() >= deadline) {
      return !view         ? view.error().what
             : view->exact ? requests_text(view->in_flight) + " still in flight on " +
                                 std::string(shm::name_of(color)) + " when the time was up"
                           : view->reason;
    }
    const std::string present =
        view && view->exact
            ? requests_text(view->in_flight) + " in flight on " + std::string(shm::name_of(color))
            : shown;
    if (present != shown) {
      shown = present;
      world_.events.emit(
          {world_.clock.wall(), "drain", StepState::kProgress, shown, milliseconds{0}});
    }
    if (!world_.clock.wait(between)) {
      return "stopped on request";
    }
    between = std::min(between * 2, kLongestPause);
  }
}

Result<std::uint64_t> Sequence::store(const std::string& what, const RouteEdit& edit) {
  auto stored = world_.control.change(app_, what, edit);
  if (stored) {
    end_.generation = *stored;
  }
  return stored;
}

Result<std::uint64_t> Sequence::hold() {
  const auto rest =
      std::max(std::chrono::ceil<milliseconds>(deadline_ - world_.clock.now()), milliseconds{0});
  const auto mine = world_.control.ticket(rest + kHoldMargin);
  if (!mine) {
    return tl::unexpected(mine.error());
  }
  return store("hold", [&](RouteState& state) -> Result<void> {
    world_.control.prolong(state, *mine);
    state.route.weight = 0;
    state.route.flags = static_cast<std::uint8_t>(state.route.flags & ~shm::kFallback);
    return {};
  });
}

Result<std::uint64_t> Sequence::flip() {
  const std::string what = "flip to " + std::string(shm::name_of(to_));
  return store(what, [&](RouteState& state) -> Result<void> {
    if (!state.route.has(shm::kHold) || world_.control.left_of(state.hold) < kClockSlack) {
      return fail(ExitCode::kGate, "the hold's time was over before the flip");
    }
    state.route.active = to_;
    state.route.weight = 0;
    state.route.flags = static_cast<std::uint8_t>((state.route.flags & ~shm::closed_flag(to_)) |
                                                  shm::closed_flag(old_));
    return {};
  });
}

void Sequence::note(const std::string& step, const std::string& status) {
  const TimePoint now = world_.clock.now();
  end_.steps.push_back({step, std::chrono::duration_cast<milliseconds>(now - step_since_), status});
  step_since_ = now;
}

Result<HoldSwitchEnd> Sequence::run() {
  step_since_ = world_.clock.now();
  end_.generation = before_.generation;
  // Nobody is made to wait for what could not be proven anyway.
  const std::string blind =
      wait_for(Wanted::kProof, std::min(deadline_, world_.clock.now() + kBlindGrace));
  if (!blind.empty()) {
    end_.code = world_.clock.stop_requested() ? ExitCode::kAborted : ExitCode::kGate;
    end_.reason = blind + "; nothing was held";
    return end_;
  }
  held_since_ = world_.clock.now();
  if (const auto held = hold(); !held) {
    return go_back("hold", held.error().what);
  }
  note("hold", "done");
  if (const auto doubt = wait_for(Wanted::kBothEmpty, deadline_); !doubt.empty()) {
    return go_back("drain", doubt);
  }
  note("drain", "done");
  if (const auto flipped = flip(); !flipped) {
    return go_back("flip", flipped.error().what);
  }
  // The clock behind the store: workers that looked before now have seen a hold that counts.
  const auto now = world_.control.read(app_);
  if (!now || world_.control.hold_left(*now) < kClockSlack) {
    return go_back("flip", now ? "the hold's time was over at the flip: requests of both colors "
                                 "may have been at work together"
                               : now.error().what);
  }
  if (const auto doubt = wait_for(Wanted::kOldEmpty, deadline_); !doubt.empty()) {
    return go_back("flip", doubt);
  }
  note("flip", "done");
  return finish();
}

HoldSwitchEnd Sequence::finish() {
  const auto released = world_.control.release(app_);
  end_.held = std::chrono::duration_cast<milliseconds>(world_.clock.now() - held_since_);
  note("release", released ? "done" : "failed");
  if (released) {
    end_.generation = *released;
    return end_;
  }
  end_.code = ExitCode::kRollbackFailed;
  end_.reason = std::string(shm::name_of(to_)) +
                " is active, but the hold could not be ended, it ends by its own time: " +
                released.error().what;
  return end_;
}

HoldSwitchEnd Sequence::go_back(const std::string& step, const std::string& why) {
  note(step, "failed");
  const RouteEdit as_it_was = [this](RouteState& state) -> Result<void> {
    const bool held_before = world_.control.hold_left(before_).count() > 0;
    state.route.active = before_.route.active;
    state.route.weight = before_.route.weight;
    state.route.flags = static_cast<std::uint8_t>(held_before ? before_.route.flags
                                                              : before_.route.flags & ~shm::kHold);
    state.hold = before_.hold;
    return {};
  };
  const auto back = store("go back", as_it_was);
  end_.held = std::chrono::duration_cast<milliseconds>(world_.clock.now() - held_since_);
  note("back", back ? "done" : "failed");
  end_.reason = why;
  end_.code = world_.clock.stop_requested() ? ExitCode::kAborted : ExitCode::kGate;
  if (!back) {
    end_.code = ExitCode::kRollbackFailed;
    end_.reason += "; and the route could not be put back: " + back.error().what;
  }
  return end_;
}

}  // namespace

Result<HoldSwitchEnd> switch_held(HoldSwitchWorld& world, const std::string& app, Color to,
                                  milliseconds limit) {
  const auto before = world.control.read(app);
  if (!before) {
    return tl::unexpected(before.error());
  }
  return Sequence(world, app, to, *before, limit).run();
}

}  // namespace bluegreen
