// See plain.hpp.
#include "controller/output/plain.hpp"

#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

constexpr std::chrono::seconds kBetweenProgress{1};

std::string line_of(const Event& event) {
  std::string line = utc_time(event.at) + " ";
  if (!event.step.empty()) {
    line += printable(event.step);
    if (event.state == StepState::kDone || event.state == StepState::kFailed ||
        event.state == StepState::kUndone || event.state == StepState::kSkipped) {
      line += ' ';
      line += word_of(event.state);
      if (event.took.count() > 0) {
        line += " in " + readable(event.took);
      }
    }
    line += event.text.empty() ? "" : ": ";
  }
  return line + printable(event.text) + "\n";
}

}  // namespace

void PlainSink::emit(const Event& event) {
  if (event.state == StepState::kProgress && !event.step.empty()) {
    // A pull reports many times a second; a log wants to know that it moves, not how.
    if (event.text.empty() || event.text == last_text_ ||
        event.at - last_progress_ < kBetweenProgress) {
      return;
    }
    last_progress_ = event.at;
    last_text_ = event.text;
  }
  to_.write(line_of(event));
}

void NdjsonSink::emit(const Event& event) {
  to_.write(event_to_json(event) + "\n");
}

}  // namespace bluegreen
