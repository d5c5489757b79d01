// A step of a deploy, and what steps work on.
//
// A step says what it will do (`plan`), does it (`run`), takes it back (`undo`) and looks whether
// it is done (`observe`). Each of the last three may be repeated after a crash, in another
// process: they ask the world, and what they need to remember lies in Deploy::plan and
// Deploy::facts, which are in the journal. Steps hold no state; the table owns one of each.
//
// Called by the driver alone, in the detached deploy process, under the application's lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/config/config.hpp"
#include "controller/deploy/plan.hpp"
#include "controller/output/event.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/hooks.hpp"
#include "controller/ports/orders.hpp"
#include "controller/ports/regions.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/smoke.hpp"
#include "controller/ports/trace.hpp"

namespace bluegreen {

struct World {
  ControlPort& control;
  TelemetryPort& telemetry;
  Runtime& runtime;
  Clock& clock;
  HookPort& hooks;
  TracePort& trace;
  EventSink& events;
  std::uint64_t control_id;  // of the region, for TelemetryPort
  // Null in a recovery, which runs nothing that is before the flip.
  OrdersPort* orders = nullptr;
  SmokePort* smoke = nullptr;  // null where no checks are configured, too
};

// The old color, when the verdict is out and it still runs; see keep_old.hpp.
struct Leftover {
  std::string app;
  Color color = Color::kBlue;
  std::uint64_t generation = 0;        // any other one: it has to be proven empty again
  std::uint64_t table_generation = 0;  // of its table: any other one, and it is not this leftover
  std::vector<std::uint64_t> identities;
  std::chrono::milliseconds keep{0};
  bool only_drained = false;  // never cut a request: wait until the color is empty
};

// The fact that is advice for the next deploy and no reason for this one to fail.
inline constexpr const char* kWarning = "warning";

struct Deploy {
  World& world;
  const AppConfig& config;
  Plan plan;

  Facts facts = {};                       // what steps found out; goes into their kDone records
  std::vector<std::string> doubts = {};   // why the end is 80 and not 0
  std::optional<Leftover> leftover = {};  // set by the stop step
  Deadline deadline = {};                 // of the running step

  // The image as it runs: pinned once it was pulled, before that as it was asked for.
  PinnedImage pinned() const {
    const auto found = facts.find("pinned");
    return {plan.image, found == facts.end() ? plan.image : found->second};
  }
  // An empty text: only the figures have moved.
  void note(std::string_view step, const std::string& text, EventDetails details = {}) const {
    world.events.emit(Event{world.clock.wall(), std::string(step), StepState::kProgress, text,
                            std::chrono::milliseconds{0}, std::move(details)});
  }
};

enum class Presence : std::uint8_t { kAbsent, kPresent };

class Step {
 public:
  virtual ~Step() = default;

  virtual std::string plan(const Deploy& deploy) const = 0;
  virtual bool applies(const Deploy&) const { return true; }
  virtual Result<void> run(Deploy& deploy) const = 0;
  virtual Result<void> undo(Deploy&) const { return {}; }
  // Whether the world is as after `run`. A step that changes nothing is never present.
  virtual Result<Presence> observe(Deploy&) const { return Presence::kAbsent; }
};

inline std::string text(Color color) {
  return std::string(shm::name_of(color));
}

}  // namespace bluegreen
