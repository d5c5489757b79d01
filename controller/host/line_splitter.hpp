// Pieces of a program's output in, whole lines out, bounded: a line is cut at 500 bytes, and after
// 2,000 lines one says that there was more, so that a program that talks without end cannot fill
// the trace's disk. Used by whoever runs a hook or a migration; nothing here fails.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace bluegreen {

class LineSplitter {
 public:
  explicit LineSplitter(const std::function<void(const std::string&)>& to) : to_(to) {}

  void feed(std::string_view piece) {
    for (const char c : piece) {
      if (c == '\n') {
        end_line();
      } else if (c != '\r' && line_.size() < kLongest) {
        line_ += c;
      }
    }
  }

  // What has no newline at its end counts as a line too.
  void end() {
    if (!line_.empty()) {
      end_line();
    }
  }

 private:
  static constexpr std::size_t kLongest = 500;
  static constexpr std::size_t kMost = 2'000;

  void end_line() {
    if (to_ && lines_ <= kMost) {
      to_(lines_ < kMost ? line_ : std::string("(more output than the trace keeps)"));
      ++lines_;
    }
    line_.clear();
  }

  const std::function<void(const std::string&)>& to_;
  std::string line_;
  std::size_t lines_ = 0;
};

}  // namespace bluegreen
