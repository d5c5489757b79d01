// See live_details.hpp.
#include "controller/output/live_details.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLongestBar = 30;

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
  std::array<char, 64> text{};
  std::va_list values;
  va_start(values, format);
  std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  return text.data();
}

// Short words, padded so that what follows stands in one column.
std::string in_column(std::string word, std::size_t width) {
  word.resize(std::max(word.size(), width), ' ');
  return word;
}

// Empty where there is no room for one that says anything.
std::string bar(double part, std::size_t room, bool utf8) {
  constexpr std::size_t kShortestBar = 8;
  if (room < kShortestBar) {
    return {};
  }
  const std::size_t length = std::min(room, kLongestBar);
  const auto full =
      static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(length));
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    if (utf8) {
      text += i < full ? "█" : "░";
    } else {
      text += i < full ? '#' : '.';
    }
  }
  return text + " ";
}

// "8s", "1m01s": timers count in whole seconds.
std::string whole(milliseconds time) {
  return time < std::chrono::minutes{1} ? std::to_string(time.count() / 1000) + "s"
                                        : readable(time);
}

std::string layer_line(const PullDetails::Layer& layer, std::size_t width, bool utf8) {
  constexpr std::size_t kIdLength = 12;
  const std::string id = "  " + in_column(layer.id.substr(0, kIdLength), kIdLength) + " ";
  if (layer.total == 0) {
    return id + layer.state;
  }
  constexpr double kMega = 1e6;
  const double part = static_cast<double>(layer.current) / static_cast<double>(layer.total);
  const std::string figures =
      formatted("%3.0f%% ", std::clamp(part, 0.0, 1.0) * 100) +
      formatted("%.1f of %.1f MB", static_cast<double>(layer.current) / kMega,
                static_cast<double>(layer.total) / kMega);
  const std::size_t taken = id.size() + figures.size() + 2;
  return id + bar(part, width > taken ? width - taken : 0, utf8) + figures;
}

void add_lines(std::vector<std::string>& lines, const PullDetails& pull, std::size_t width,
               bool utf8) {
  // Those that move first: the ones that wait say nothing yet.
  std::vector<PullDetails::Layer> layers = pull.layers;
  std::stable_partition(layers.begin(), layers.end(),
                        [](const PullDetails::Layer& layer) { return layer.total != 0; });
  const std::size_t shown = std::min(layers.size(), kMostBars);
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back(layer_line(layers[i], width, utf8));
  }
  const std::string done =
      std::to_string(pull.done) + " of " + std::to_string(pull.count) + " layers are here";
  if (layers.size() > shown) {
    lines.push_back("  and " + std::to_string(layers.size() - shown) + " more; " + done);
  } else if (pull.count != 0) {
    lines.push_back("  " + done);
  }
}

void add_lines(std::vector<std::string>& lines, const HealthDetails& health) {
  std::string line = health.container.empty() ? "" : "runtime says " + health.container;
  if (!health.nginx.empty()) {
    line += (line.empty() ? "" : ", ") + std::string("NGINX says ") + health.nginx + " (" +
            std::to_string(health.healthy) + " of " + std::to_string(health.endpoints) +
            " endpoints)";
  }
  if (!line.empty()) {
    lines.push_back("  " + health.color + ": " + line);
  }
}

std::string time_of_us(std::uint64_t us) {
  constexpr double kMilli = 1e3;
  constexpr std::uint64_t kShort = 10'000;
  return formatted(us < kShort ? "%.1f ms" : "%.0f ms", static_cast<double>(us) / kMilli);
}

std::string traffic_line(const TrafficDetails::Side& side) {
  constexpr std::size_t kColorColumns = 5;
  constexpr double kPercent = 100;
  std::string line = "  " + in_column(side.color, kColorColumns) + " ";
  line += side.baseline ? "before" : formatted("%5.4g%%", side.share_bp / kPercent);
  line += "  " + requests_text(side.requests);
  const double rate = side.requests == 0 ? 0
                                         : static_cast<double>(side.errors) * kPercent /
                                               static_cast<double>(side.requests);
  line += ", " + formatted("%.2f%% errors", rate);
  for (const auto& [name, us] : {std::pair{", p50 ", side.p50_us}, std::pair{", p90 ", side.p90_us},
                                 std::pair{", p99 ", side.p99_us}}) {
    line += us == 0 ? "" : name + time_of_us(us);
  }
  return line;
}

// What is left of a time, `since` after it was told; empty when it was not.
std::string left_text(milliseconds left, milliseconds since) {
  if (left.count() <= 0) {
    return {};
  }
  const auto now = std::chrono::ceil<std::chrono::seconds>(std::max(left - since, milliseconds{0}));
  return whole(now) + " left";
}

void add_lines(std::vector<std::string>& lines, const TrafficDetails& traffic, milliseconds since) {
  for (const TrafficDetails::Side& side : traffic.sides) {
    lines.push_back(traffic_line(side));
  }
  if (const std::string left = left_text(traffic.left, since); !left.empty()) {
    lines.push_back("  " + left);
  }
}

void add_lines(std::vector<std::string>& lines, const DrainDetails& drain, milliseconds since) {
  // Nothing has come since the color was closed: whatever runs is at least as old as the wait.
  std::string line = "  " + requests_text(drain.in_flight) + " on " + drain.color +
                     (drain.oldest ? ", waited " : ", running for at least ") +
                     whole(drain.waited + since);
  if (const std::string left = left_text(drain.left, since); !left.empty()) {
    line += ", " + left;
  }
  lines.push_back(std::move(line));
  if (drain.oldest && drain.in_flight != 0) {
    lines.push_back("  the longest has run for " + whole(*drain.oldest + since));
  }
  if (drain.long_lived.value_or(0) != 0) {
    lines.push_back("  " + std::to_string(*drain.long_lived) + " of them long-lived connections");
  }
}

}  // namespace

std::vector<std::string> detail_lines(const EventDetails& details, milliseconds since,
                                      std::size_t width, bool utf8) {
  std::vector<std::string> lines;
  if (const auto* pull = std::get_if<PullDetails>(&details)) {
    add_lines(lines, *pull, width, utf8);
  } else if (const auto* health = std::get_if<HealthDetails>(&details)) {
    add_lines(lines, *health);
  } else if (const auto* traffic = std::get_if<TrafficDetails>(&details)) {
    add_lines(lines, *traffic, since);
  } else if (const auto* drain = std::get_if<DrainDetails>(&details)) {
    add_lines(lines, *drain, since);
  }
  return lines;
}

}  // namespace bluegreen
