// See the header.
#include "controller/docker/pull_backoff.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

// More than any registry asks for; a longer one is no time to wait for in a deploy.
constexpr double kLongestAsked = 24.0 * 3600 * 1000;

struct Unit {
  std::string_view name;
  double milliseconds;
};

// Longer names first: "ms" begins with "m".
constexpr std::array kUnits{Unit{"ms", 1.0},       Unit{"µs", 0.001},        Unit{"us", 0.001},
                            Unit{"ns", 0.000001},  Unit{"minute", 60'000.0}, Unit{"m", 60'000.0},
                            Unit{"h", 3'600'000.0}};

}  // namespace

std::optional<milliseconds> pause_before_retry(const PullBackoff& backoff, int failed,
                                               milliseconds since_first,
                                               std::optional<milliseconds> asked, double random) {
  if (failed >= backoff.tries) {
    return std::nullopt;
  }
  milliseconds own = backoff.first;
  for (int i = 1; i < failed && own < backoff.longest; ++i) {
    own *= 2;
  }
  own = std::min(own, backoff.longest);
  // At least half of it: a pause of nothing would be no pause.
  const auto spread =
      milliseconds(std::llround(static_cast<double>(own.count()) * (0.5 + 0.5 * random)));
  // Earlier than it asked for is refused again; all at the same moment, too.
  const milliseconds pause = asked && *asked > own ? *asked + spread : spread;
  return since_first + pause > backoff.within ? std::nullopt : std::optional(pause);
}

std::optional<milliseconds> retry_after(const std::string& message) {
  std::string lower(message);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::size_t at = lower.find("retry-after");
  at = at == std::string::npos ? lower.find("retry after") : at;
  if (at == std::string::npos) {
    return std::nullopt;
  }
  at = lower.find_first_not_of(" :=\"", at + std::string_view("retry-after").size());
  if (at == std::string::npos || std::isdigit(static_cast<unsigned char>(lower[at])) == 0) {
    return std::nullopt;  // a date: its clock is not ours
  }
  const char* begin = lower.c_str() + at;
  char* end = nullptr;
  const double number = std::strtod(begin, &end);
  std::string_view rest(end);
  rest.remove_prefix(rest.starts_with(" ") ? 1 : 0);
  double in_milliseconds = number * 1000;
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end(),
                                  [rest](const Unit& one) { return rest.starts_with(one.name); });
  if (unit != kUnits.end()) {
    in_milliseconds = number * unit->milliseconds;
  }
  if (!std::isfinite(in_milliseconds) || in_milliseconds > kLongestAsked) {
    return milliseconds(static_cast<std::int64_t>(kLongestAsked));
  }
  return milliseconds(static_cast<std::int64_t>(std::ceil(in_milliseconds)));
}

}  // namespace bluegreen
