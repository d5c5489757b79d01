// Text fields of the regions: fixed size, padded with NUL, never trusted to end with one.
// Pure functions; any process, any thread.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace bluegreen::shm {

template <std::size_t N>
std::string_view text_of(const char (&field)[N]) noexcept {
  return {field, ::strnlen(field, N)};
}

// False, and nothing is written, when the text with its NUL does not fit or contains a NUL.
template <std::size_t N>
bool set_text(char (&field)[N], std::string_view text) noexcept {
  if (text.size() >= N || text.find('\0') != std::string_view::npos) {
    return false;
  }
  std::memset(field, 0, N);
  std::memcpy(field, text.data(), text.size());
  return true;
}

// Application names are file names, labels and arguments too: letters, digits, '-', '_', '.',
// not beginning with '-' or '.', 1 to 63 bytes.
constexpr bool is_app_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 63 || name.front() == '-' || name.front() == '.') {
    return false;
  }
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.') {
      return false;
    }
  }
  return true;
}

}  // namespace bluegreen::shm
