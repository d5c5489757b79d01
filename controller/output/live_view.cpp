// See live_view.hpp.
#include "controller/output/live_view.hpp"

#include <algorithm>

#include "controller/output/live_details.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

constexpr std::string_view kReset = "\033[0m";

bool is_over(StepState state) {
  return state != StepState::kStarted && state != StepState::kProgress;
}

struct Mark {
  std::string_view utf8;
  std::string_view ascii;
  std::string_view color;
};

Mark mark_of(StepState state) {
  switch (state) {
    case StepState::kDone:
      return {"✓", "+", "\033[32m"};
    case StepState::kFailed:
      return {"✗", "x", "\033[31m"};
    case StepState::kUndone:
      return {"↩", "<", "\033[33m"};
    case StepState::kSkipped:
      return {"–", "-", "\033[2m"};
    case StepState::kStarted:
    case StepState::kProgress:
      break;
  }
  return {"•", ">", "\033[36m"};
}

struct Glyph {
  std::size_t bytes;
  char32_t code;
};

// The text has passed printable(): it is UTF-8.
Glyph glyph_at(std::string_view text, std::size_t from) {
  const auto lead = static_cast<unsigned char>(text[from]);
  const std::size_t wanted = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const std::size_t bytes = std::min(wanted, text.size() - from);
  char32_t code = lead < 0x80 ? lead : lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    code = (code << 6U) | (static_cast<unsigned char>(text[from + i]) & 0x3FU);
  }
  return {bytes, code};
}

// Not wcwidth: the answer must not hang on the locale. Too wide is harmless (a line that is shorter
// than it could be), too narrow would wrap; so all that may be wide counts as two.
std::size_t columns_of_code(char32_t code) {
  const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0xFFE0 && code <= 0xFFE6) || code >= 0x1F000;
  return wide ? 2 : 1;
}

// Cut to `room` columns; a cut is shown.
std::string cut(std::string_view text, std::size_t room, bool utf8) {
  if (columns_of(text) <= room) {
    return std::string(text);
  }
  if (room == 0) {
    return {};
  }
  std::size_t at = 0;
  for (std::size_t used = 0; at < text.size();) {
    const Glyph glyph = glyph_at(text, at);
    used += columns_of_code(glyph.code);
    if (used > room - 1) {
      break;
    }
    at += glyph.bytes;
  }
  return std::string(text.substr(0, at)) + (utf8 ? "…" : "~");
}

// Where the terminal has no UTF-8, a character of several bytes becomes one '?'.
std::string shown(const std::string& text, bool utf8) {
  std::string safe = printable(text);
  if (utf8) {
    return safe;
  }
  std::string out;
  for (std::size_t at = 0; at < safe.size();) {
    const Glyph glyph = glyph_at(safe, at);
    out += glyph.bytes == 1 ? safe[at] : '?';
    at += glyph.bytes;
  }
  return out;
}

LiveLine plain_line(const std::string& text, const Canvas& canvas) {
  std::string line = cut(shown(text, canvas.utf8), canvas.width, canvas.utf8);
  const std::size_t columns = columns_of(line);
  return {std::move(line), columns};
}

LiveLine line_of(const LiveStep& step, std::chrono::system_clock::time_point now,
                 const Canvas& canvas) {
  constexpr std::size_t kNameColumns = 10;
  constexpr std::size_t kTimeColumns = 7;
  const Mark mark = mark_of(step.state);
  auto time = is_over(step.state)
                  ? step.took
                  : std::chrono::duration_cast<std::chrono::milliseconds>(now - step.began);
  // A running step counts in whole seconds; a clock that was set back is not shown as one.
  time = std::max(time, std::chrono::milliseconds{0});
  const std::string took =
      is_over(step.state)              ? (time.count() == 0 ? std::string() : readable(time))
      : time < std::chrono::minutes{1} ? std::to_string(time.count() / 1000) + "s"
                                       : readable(time);
  std::string rest = " " + shown(step.name, canvas.utf8);
  rest.append(columns_of(rest) < kNameColumns ? kNameColumns - columns_of(rest) : 1, ' ');
  rest += took;
  const std::string text = shown(step.text, canvas.utf8);
  if (!text.empty()) {
    rest.append(took.size() < kTimeColumns ? kTimeColumns - took.size() : 1, ' ');
    rest += text;
  }
  rest = cut(rest, canvas.width == 0 ? 0 : canvas.width - 1, canvas.utf8);
  while (!rest.empty() && rest.back() == ' ') {
    rest.pop_back();
  }
  const std::string_view sign = canvas.utf8 ? mark.utf8 : mark.ascii;
  LiveLine line;
  line.columns = 1 + columns_of(rest);
  if (canvas.color) {
    line.text.append(mark.color).append(sign).append(kReset);
  } else {
    line.text.append(sign);
  }
  line.text += rest;
  return line;
}

}  // namespace

void LiveModel::apply(const Event& event) {
  if (event.step.empty()) {
    note_ = event.text;
    return;
  }
  auto found = std::find_if(steps_.rbegin(), steps_.rend(),
                            [&event](const LiveStep& step) { return step.name == event.step; });
  // A step that begins anew after its end (a second attempt) is a line of its own.
  if (found == steps_.rend() || (event.state == StepState::kStarted && is_over(found->state))) {
    steps_.push_back({event.step, event.state, {}, event.at, {}, {}, {}});
    found = steps_.rbegin();
  }
  // A late word about a step that has ended does not let it run again.
  if (is_over(event.state) || !is_over(found->state)) {
    found->state = event.state;
  }
  if (!event.text.empty()) {
    found->text = event.text;
  }
  if (event.details.index() != 0) {
    found->details = event.details;
    found->details_at = event.at;
  }
  if (is_over(event.state)) {
    found->took = event.took;
  }
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Glyph glyph = glyph_at(text, at);
    columns += columns_of_code(glyph.code);
    at += glyph.bytes;
  }
  return columns;
}

std::vector<LiveLine> lay_out(const LiveModel& model, std::chrono::system_clock::time_point now,
                              const Canvas& canvas) {
  std::vector<LiveLine> lines;
  if (canvas.width == 0 || canvas.height == 0) {
    return lines;
  }
  for (const LiveStep& step : model.steps()) {
    lines.push_back(line_of(step, now, canvas));
    if (is_over(step.state)) {
      continue;
    }
    const auto since =
        std::max(std::chrono::duration_cast<std::chrono::milliseconds>(now - step.details_at),
                 std::chrono::milliseconds{0});
    for (const std::string& text : detail_lines(step.details, since, canvas.width, canvas.utf8)) {
      lines.push_back(plain_line(text, canvas));
    }
  }
  if (!model.note().empty()) {
    lines.push_back(plain_line(model.note(), canvas));
  }
  // On a low terminal the newest stay: that is where something happens.
  if (lines.size() > canvas.height) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(canvas.height));
  }
  return lines;
}

}  // namespace bluegreen
