// Where text goes: a descriptor, or a string in tests. Unbuffered: what was written is out, also
// when the process is killed the moment after. A reader that has gone away is not an error: a
// deploy goes on without anybody looking.
#pragma once

#include <string>
#include <string_view>

namespace bluegreen {

class Writer {
 public:
  virtual ~Writer() = default;
  virtual void write(std::string_view text) = 0;
};

class FdWriter : public Writer {
 public:
  explicit FdWriter(int fd) : fd_(fd) {}
  void write(std::string_view text) override;

 private:
  int fd_;  // not owned
};

class StringWriter : public Writer {
 public:
  void write(std::string_view text) override { text_.append(text); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace bluegreen
