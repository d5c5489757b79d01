// Names and values of headers and cookies: ASCII letters without regard to case, and the blanks
// around them. Pure; on the request path.
#pragma once

#include <cstddef>
#include <string_view>

namespace bluegreen::core {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// `lowered` has no upper case letters.
inline bool same_word(std::string_view text, std::string_view lowered) noexcept {
  if (text.size() != lowered.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != lowered[i] && lower(text[i]) != lowered[i]) {
      return false;
    }
  }
  return true;
}

inline std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace bluegreen::core
