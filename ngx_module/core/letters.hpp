// ASCII letters without regard to case: names of headers and cookies. Pure; on the request path.
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

}  // namespace bluegreen::core
