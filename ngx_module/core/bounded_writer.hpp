// Text into a buffer of known size, JSON escaping included. It never writes past the end, and goes
// on counting there, so one pass without a buffer tells how large it has to be. Given a way to get
// more memory it writes everything in one pass.
// Any process, one thread. Fails by needed() > the size given, or that could be got.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bluegreen::core {

class BoundedWriter {
 public:
  // Gets a larger buffer with what is in this one, or leaves both as they are.
  using Grow = void (*)(char*& buffer, std::size_t& size);

  BoundedWriter(char* buffer, std::size_t size, Grow grow = nullptr) noexcept
      : buffer_(buffer), size_(size), grow_(grow) {}

  // Where the text is now: it moves when it grows.
  char* data() const noexcept { return buffer_; }

  std::size_t needed() const noexcept { return used_; }
  // As much of it as there was room for.
  std::string_view written() const noexcept { return {buffer_, used_ < size_ ? used_ : size_}; }
  bool overflowed() const noexcept { return used_ > size_; }

  void put(char c) noexcept {
    if (used_ == size_ && grow_ != nullptr) {
      grow_(buffer_, size_);
    }
    if (used_ < size_) {
      buffer_[used_] = c;
    }
    ++used_;
  }
  void text(std::string_view text) noexcept {
    if (grow_ != nullptr && used_ <= size_ && text.size() > size_ - used_) {
      grow_(buffer_, size_);
    }
    if (used_ > size_ || text.size() > size_ - used_) {
      for (const char c : text) {
        put(c);
      }
      return;
    }
    if (!text.empty()) {
      std::memcpy(buffer_ + used_, text.data(), text.size());
    }
    used_ += text.size();
  }
  void number(std::uint64_t value) noexcept {
    char digits[20];
    std::size_t begin = sizeof(digits);
    do {
      digits[--begin] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    text({digits + begin, sizeof(digits) - begin});
  }
  // Writes `value` up to the first character that a quoted string escapes, which few have, and
  // returns the rest.
  std::string_view plain(std::string_view value) noexcept {
    std::size_t size = 0;
    while (size < value.size() && is_plain(value[size])) {
      ++size;
    }
    text(value.substr(0, size));
    return value.substr(size);
  }
  // A JSON string. What is not ASCII comes from a file that anybody may have damaged and need not
  // be UTF-8: it is shown as '?', so the document always parses.
  void json(std::string_view value) noexcept {
    put('"');
    for (const char c : plain(value)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        put('\\');
        put(c);
      } else if (byte < 0x20) {
        static constexpr char kHex[] = "0123456789abcdef";
        text("\\u00");
        put(kHex[byte >> 4]);
        put(kHex[byte & 15U]);
      } else {
        put(byte < 0x7F ? c : '?');
      }
    }
    put('"');
  }

 private:
  static bool is_plain(char c) noexcept { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; }

  char* buffer_;
  std::size_t size_;
  Grow grow_;
  std::size_t used_ = 0;
};

}  // namespace bluegreen::core
