// See window.hpp.
#include "controller/canary/window.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>

#include "shm/histogram.hpp"

namespace bluegreen::canary {
namespace {

bool subtract(std::uint64_t to, std::uint64_t from, std::uint64_t& difference) {
  difference = to - from;
  return to >= from;
}

// The next number of `text`, which ends at its end or before `end`.
bool take(std::string_view& text, char end, std::uint64_t& to) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), to);
  const auto length = static_cast<std::size_t>(read.ptr - text.data());
  if (read.ec != std::errc() || (length < text.size() && text[length] != end)) {
    return false;
  }
  text.remove_prefix(std::min(text.size(), length + 1));
  return true;
}

}  // namespace

std::optional<Window> window_between(const Totals& from, const Totals& to) {
  Window window;
  std::uint64_t previews = 0;
  if (from.telemetry_id != to.telemetry_id || !subtract(to.ended, from.ended, window.ended) ||
      !subtract(to.errors, from.errors, window.errors) ||
      !subtract(to.previews, from.previews, previews) || from.latency.size() != to.latency.size()) {
    return std::nullopt;
  }
  window.latency.resize(to.latency.size());
  for (std::size_t i = 0; i < to.latency.size(); ++i) {
    if (!subtract(to.latency[i], from.latency[i], window.latency[i])) {
      return std::nullopt;
    }
  }
  // The two are counted one after the other, and read while workers count.
  window.errors = std::min(window.errors, window.ended);
  window.users = window.ended - std::min(previews, window.ended);
  return window;
}

std::uint64_t Window::answers() const {
  return std::accumulate(latency.begin(), latency.end(), std::uint64_t{0});
}

std::string text_of(const Window& window) {
  std::string text = std::to_string(window.ended) + " " + std::to_string(window.errors) + " " +
                     std::to_string(window.users);
  if (window.latency.empty()) {
    return text + " -";
  }
  for (std::size_t i = 0; i < window.latency.size(); ++i) {
    if (window.latency[i] != 0) {
      text += " " + std::to_string(i) + ":" + std::to_string(window.latency[i]);
    }
  }
  return text;
}

std::optional<Window> window_from(const std::string& text) {
  Window window;
  std::string_view left = text;
  if (!take(left, ' ', window.ended) || !take(left, ' ', window.errors) ||
      !take(left, ' ', window.users) || window.errors > window.ended ||
      window.users > window.ended) {
    return std::nullopt;
  }
  if (left == "-") {
    return window;
  }
  window.latency.resize(shm::kBuckets);
  while (!left.empty()) {
    std::uint64_t bucket = 0;
    std::uint64_t count = 0;
    if (!take(left, ':', bucket) || bucket >= window.latency.size() || !take(left, ' ', count)) {
      return std::nullopt;
    }
    window.latency[bucket] = count;
  }
  return window;
}

}  // namespace bluegreen::canary
