// See duration.hpp.
#include "controller/config/duration.hpp"

#include <charconv>

namespace bluegreen {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr long long kMost = 365LL * 24 * 3'600'000;
  long long number = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > kMost) {
    return std::nullopt;
  }
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const long long factor = unit == "ms"  ? 1
                           : unit == "s" ? 1000
                           : unit == "m" ? 60'000
                           : unit == "h" ? 3'600'000
                                         : 0;
  if (factor == 0 || number > kMost / factor) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(number * factor);
}

}  // namespace bluegreen
