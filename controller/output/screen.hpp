// A terminal that the live view is drawn on, in place.
//
// No alternate screen, no hidden cursor, no raw mode, every color reset within its line: a follower
// that is killed at any moment leaves a terminal as sane as it found it, the cursor below the last
// view. One write a draw. The size is asked at each draw, so a resize needs no signal handler; what
// was drawn before is taken to have been wrapped to the new width. Never fails; see Writer.
#pragma once

#include <string>
#include <vector>

#include "controller/output/event.hpp"
#include "controller/output/live_view.hpp"
#include "controller/output/writer.hpp"

namespace bluegreen {

// What the terminal at `fd` can show now, by its size and the environment: NO_COLOR, TERM=dumb, and
// LC_ALL, LC_CTYPE, LANG in their order for UTF-8.
Canvas canvas_of(int fd);
// Whether `fd` is a terminal on which a cursor can be moved.
bool can_be_live(int fd);

class Screen {
 public:
  explicit Screen(Writer& to) : to_(to) {}
  void draw(const std::vector<LiveLine>& lines, std::size_t width);

 private:
  Writer& to_;
  std::vector<LiveLine> drawn_;
};

// Draws at each event, and at each tick for the timers.
class LiveSink : public EventSink {
 public:
  LiveSink(Writer& to, int fd) : screen_(to), fd_(fd) {}
  void emit(const Event& event) override;
  void tick() override;

 private:
  LiveModel model_;
  Screen screen_;
  int fd_;  // not owned; asked for its size
};

}  // namespace bluegreen
