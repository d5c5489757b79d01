// See printable.hpp.
#include "controller/output/printable.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace bluegreen {
namespace {

// The length of the UTF-8 sequence that `text` begins with; 0 when it is none, or is a C1 control.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  std::size_t length = 0;
  std::uint32_t point = 0;
  std::uint32_t least = 0;
  if (first < 0x80) {
    return 1;
  }
  if ((first & 0xE0U) == 0xC0U) {
    length = 2, point = first & 0x1FU, least = 0x80;
  } else if ((first & 0xF0U) == 0xE0U) {
    length = 3, point = first & 0x0FU, least = 0x800;
  } else if ((first & 0xF8U) == 0xF0U) {
    length = 4, point = first & 0x07U, least = 0x10000;
  } else {
    return 0;
  }
  if (text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      return 0;
    }
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  const bool c1 = point >= 0x80 && point <= 0x9F;
  // Marks that turn the direction of writing can make one text look like another.
  const bool direction =
      (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
  return point < least || point > 0x10FFFF || surrogate || c1 || direction ? 0 : length;
}

std::string utc(std::chrono::system_clock::time_point at, bool with_ms) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(ms).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (with_ms) {
    size += static_cast<std::size_t>(std::snprintf(text.data() + size, text.size() - size, ".%03d",
                                                   static_cast<int>(ms.count() - seconds * 1000)));
  }
  return std::string(text.data(), size) + "Z";
}

}  // namespace

std::string printable(std::string_view text, bool keep_lines) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const bool kept = keep_lines && (byte == '\n' || byte == '\t');
    const std::size_t length = (byte < 0x20 && !kept) || byte == 0x7F ? 0 : utf8_length(text);
    if (length == 0) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", byte);
      safe += escape.data();
      text.remove_prefix(1);
    } else {
      safe.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return safe;
}

std::string utc_time(std::chrono::system_clock::time_point at) {
  return utc(at, false);
}

std::string utc_time_ms(std::chrono::system_clock::time_point at) {
  return utc(at, true);
}

std::string utc_time_of_ns(std::uint64_t unix_ns) {
  if (unix_ns == 0 || unix_ns > static_cast<std::uint64_t>(INT64_MAX)) {
    return {};
  }
  return utc(std::chrono::system_clock::time_point(
                 std::chrono::nanoseconds(static_cast<std::int64_t>(unix_ns))),
             false);
}

std::string readable(std::chrono::milliseconds duration) {
  const long long ms = duration.count();
  std::array<char, 48> text{};
  if (ms < 1000) {
    std::snprintf(text.data(), text.size(), "%lldms", ms);
  } else if (ms < 60'000) {
    std::snprintf(text.data(), text.size(), "%lld.%llds", ms / 1000, ms % 1000 / 100);
  } else {
    std::snprintf(text.data(), text.size(), "%lldm%02llds", ms / 60'000, ms % 60'000 / 1000);
  }
  return text.data();
}

std::string requests_text(std::uint64_t count) {
  return count == 1 ? "1 request" : std::to_string(count) + " requests";
}

}  // namespace bluegreen
