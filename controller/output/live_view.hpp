// The live view of a deploy on a terminal: event -> model -> layout; screen.hpp draws the result.
//
// LiveModel folds events into the steps and what each says now. lay_out is pure: the same model,
// moment and Canvas give the same lines, none wider than the canvas, not more of them than it is
// high. What comes from outside is made harmless here (printable.hpp), before it is measured.
// Used by the foreground of deploy and rollback; one thread. Nothing here can fail.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "controller/output/event.hpp"

namespace bluegreen {

struct LiveStep {
  std::string name;
  StepState state = StepState::kStarted;
  std::string text;  // what it said last
  std::chrono::system_clock::time_point began;
  std::chrono::milliseconds took{0};  // once it has ended
  EventDetails details = {};          // the last figures, and when they were told
  std::chrono::system_clock::time_point details_at{};
};

class LiveModel {
 public:
  void apply(const Event& event);
  const std::vector<LiveStep>& steps() const { return steps_; }
  const std::string& note() const { return note_; }  // the last word that belongs to no step

 private:
  std::vector<LiveStep> steps_;  // in the order in which they began
  std::string note_;
};

// What the terminal can show.
struct Canvas {
  std::size_t width = 80;
  std::size_t height = 24;
  bool color = true;
  bool utf8 = true;
};

// Columns that a text takes; a byte that begins no character takes none.
std::size_t columns_of(std::string_view text);

// A line as it is drawn, and what it takes on the screen: escapes for color take no column.
struct LiveLine {
  std::string text;
  std::size_t columns = 0;
};

std::vector<LiveLine> lay_out(const LiveModel& model, std::chrono::system_clock::time_point now,
                              const Canvas& canvas);

}  // namespace bluegreen
