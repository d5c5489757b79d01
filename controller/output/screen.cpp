// See screen.hpp.
#include "controller/output/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace bluegreen {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale(environment(name));
    if (!locale.empty()) {
      std::transform(locale.begin(), locale.end(), locale.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
    }
  }
  return false;
}

}  // namespace

Canvas canvas_of(int fd) {
  Canvas canvas;
  struct winsize size {};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 && size.ws_row != 0) {
    canvas.width = size.ws_col;
    // One row stays for the cursor: a view of the full height would scroll at each draw.
    canvas.height = std::max<std::size_t>(1, size.ws_row - 1U);
  }
  canvas.color = environment("NO_COLOR").empty();
  canvas.utf8 = locale_is_utf8();
  return canvas;
}

bool can_be_live(int fd) {
  const std::string_view terminal = environment("TERM");
  return ::isatty(fd) == 1 && !terminal.empty() && terminal != "dumb";
}

void Screen::draw(const std::vector<LiveLine>& lines, std::size_t width) {
  std::size_t rows = 0;
  for (const LiveLine& line : drawn_) {
    rows += width == 0 || line.columns == 0 ? 1 : (line.columns + width - 1) / width;
  }
  std::string text = "\r";
  if (rows > 0) {
    text += "\033[" + std::to_string(rows) + "A";
  }
  text += "\033[J";
  for (const LiveLine& line : lines) {
    text += line.text + "\n";
  }
  to_.write(text);
  drawn_ = lines;
}

void LiveSink::emit(const Event& event) {
  model_.apply(event);
  tick();
}

void LiveSink::tick() {
  const Canvas canvas = canvas_of(fd_);
  screen_.draw(lay_out(model_, std::chrono::system_clock::now(), canvas), canvas.width);
}

}  // namespace bluegreen
