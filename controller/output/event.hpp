// What happens, as events: the only thing that output sees. A command emits them, sinks show them
// (plain lines, a live screen, NDJSON) or keep them (the trace).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controller/output/event_details.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

enum class StepState { kStarted, kProgress, kDone, kFailed, kSkipped, kUndone };

// The state as JSON and the verdict's steps have it.
constexpr std::string_view word_of(StepState state) noexcept {
  switch (state) {
    case StepState::kStarted:
      return "started";
    case StepState::kDone:
      return "done";
    case StepState::kFailed:
      return "failed";
    case StepState::kSkipped:
      return "skipped";
    case StepState::kUndone:
      return "undone";
    case StepState::kProgress:
      break;
  }
  return "progress";
}

struct Event {
  std::chrono::system_clock::time_point at;
  std::string step;  // "pull", "start", ...; empty for a note that belongs to none
  StepState state = StepState::kProgress;
  std::string text;                   // for people; empty: only the details have moved
  std::chrono::milliseconds took{0};  // with kDone, kFailed, kUndone
  EventDetails details = {};          // figures, for a view that can draw them
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void emit(const Event& event) = 0;
  // Time has passed: a view with timers draws anew, all others have nothing to say.
  virtual void tick() {}
};

struct StepTime {
  std::string name;
  std::chrono::milliseconds took{0};
  std::string status;  // done, failed, skipped, undone
};

// The end of a command that changes something: its first line of stdout, its JSON, its trace.
struct Verdict {
  ExitCode code = ExitCode::kDone;
  std::string command;  // "deploy", "rollback", "switch", ...
  std::string id;       // deploy id, or empty
  std::string app;
  std::string headline;  // what happened and what is serving now, one line
  std::string active;    // blue or green
  std::string release;   // what is serving
  std::string previous;  // what served before
  std::string image;
  std::string trace;   // folder, or empty
  std::string reason;  // on failure
  std::string hint;
  std::string tail;  // log tail on failure
  std::vector<StepTime> steps;
  std::map<std::string, std::int64_t> figures;  // more fields of the JSON: "weight", "held_ms", ...
};

}  // namespace bluegreen
