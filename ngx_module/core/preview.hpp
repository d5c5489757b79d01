// Where a client brings a preview's secret: a header or a cookie, as `bluegreen_preview` names it.
//
// parse_preview_source takes the directive's variable; other variables are refused, because what
// they are made of would still be forwarded to the upstream and written to the log. The rest finds
// the header, and takes the cookie out of a Cookie header. Called by the directive in the master
// and on the request path in a worker; works in place, fails by saying so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ngx_module/core/letters.hpp"

namespace bluegreen::core {

inline constexpr std::size_t kMaxPreviewName = 63;

struct PreviewSource {
  enum class Kind : std::uint8_t { kHeader, kCookie };
  Kind kind = Kind::kHeader;
  std::uint8_t size = 0;
  char name[kMaxPreviewName + 1] = {};  // lower case; in a header's, "_" stands for "-" too

  std::string_view text() const noexcept { return {name, size}; }
  bool operator==(const PreviewSource& to) const noexcept {
    return kind == to.kind && text() == to.text();
  }
};

namespace detail {

constexpr bool is_variable_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace detail

// nullptr, or what is wrong with it.
inline const char* parse_preview_source(std::string_view text, PreviewSource& out) noexcept {
  constexpr std::string_view kHeader = "$http_";
  constexpr std::string_view kCookie = "$cookie_";
  PreviewSource source;
  if (same_word(text.substr(0, kHeader.size()), kHeader)) {
    text.remove_prefix(kHeader.size());
  } else if (same_word(text.substr(0, kCookie.size()), kCookie)) {
    source.kind = PreviewSource::Kind::kCookie;
    text.remove_prefix(kCookie.size());
  } else {
    return "expected \"$http_NAME\" or \"$cookie_NAME\": only these can be kept out of the log and "
           "of what the upstream gets";
  }
  if (text.empty() || text.size() > kMaxPreviewName) {
    return "expected a NAME of 1 to 63 letters, digits or \"_\"";
  }
  for (const char c : text) {
    source.name[source.size++] = lower(c);
    if (!detail::is_variable_letter(lower(c))) {
      return "expected a NAME of 1 to 63 letters, digits or \"_\"";
    }
  }
  out = source;
  return nullptr;
}

// As NGINX matches $http_NAME: without case, and "-" is "_".
inline bool is_header(const PreviewSource& source, std::string_view name) noexcept {
  if (name.size() != source.size) {
    return false;
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i] == '-' ? '_' : lower(name[i]);
    if (c != source.name[i]) {
      return false;
    }
  }
  return true;
}

struct CookiePair {
  std::size_t begin = 0;  // with what separates it from its neighbours
  std::size_t end = 0;
  std::string_view value;  // within the header
};

// The first pair of that name at or behind `from`. False when there is none. As NGINX's
// $cookie_NAME does, it finds one behind a comma too.
inline bool find_cookie(std::string_view header, std::string_view name, std::size_t from,
                        CookiePair& out) noexcept {
  std::size_t begin = from;
  while (begin < header.size()) {
    std::size_t end = header.find_first_of(";,", begin);
    const bool last = end == std::string_view::npos;
    end = last ? header.size() : end;
    std::size_t at = begin;
    while (at < end && (header[at] == ' ' || header[at] == '\t')) {
      ++at;
    }
    const std::string_view pair = header.substr(at, end - at);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && same_word(trimmed(pair.substr(0, equals)), name)) {
      out.value = trimmed(pair.substr(equals + 1));
      out.end = last ? end : end + 1;
      out.begin = begin;
      return true;
    }
    begin = end + 1;
  }
  return false;
}

// Takes a pair out in place; the bytes that were it and what is left over become zeroes. The new
// size: without a separator at either end.
inline std::size_t cut_cookie(char* header, std::size_t size, const CookiePair& pair) noexcept {
  std::memmove(header + pair.begin, header + pair.end, size - pair.end);
  std::size_t left = size - (pair.end - pair.begin);
  if (pair.begin == 0) {
    std::size_t spaces = 0;
    while (spaces < left && header[spaces] == ' ') {
      ++spaces;
    }
    std::memmove(header, header + spaces, left - spaces);
    left -= spaces;
  }
  while (left != 0 &&
         (header[left - 1] == ' ' || header[left - 1] == ';' || header[left - 1] == ',')) {
    --left;
  }
  std::memset(header + left, 0, size - left);
  return left;
}

}  // namespace bluegreen::core
