// See duration.hpp.
#include "controller/config/duration.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace bluegreen {
namespace {

struct Unit {
  std::string_view name;
  long long ms;
};
constexpr Unit kUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

}  // namespace

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
  const auto* const found = std::find_if(std::begin(kUnits), std::end(kUnits),
                                         [unit](const Unit& each) { return each.name == unit; });
  if (found == std::end(kUnits) || number > kMost / found->ms) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(number * found->ms);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const long long ms = duration.count();
  for (const Unit& unit : kUnits) {
    if (ms != 0 && ms % unit.ms == 0) {
      return std::to_string(ms / unit.ms) + std::string(unit.name);
    }
  }
  return "0ms";
}

}  // namespace bluegreen
