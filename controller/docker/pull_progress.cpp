// See the header.
#include "controller/docker/pull_progress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bluegreen {
namespace {

// SSM shows 2,000 characters of a whole deploy: a slow pull of minutes must stay a few lines.
constexpr std::chrono::seconds kAtMostEvery{10};
constexpr std::chrono::milliseconds kBetweenBars{400};

}  // namespace

std::optional<std::string> PullProgress::feed(const std::string& layer, const std::string& status,
                                              std::uint64_t current, std::uint64_t total,
                                              std::chrono::steady_clock::time_point now) {
  const bool finished = status == "Pull complete" || status == "Already exists";
  const bool known = layers_.contains(layer);
  // "Pulling from team/app" has the tag as its id; only these statuses are about layers.
  if (!known && status != "Pulling fs layer" && status != "Already exists") {
    return std::nullopt;
  }
  if (!known) {
    order_.push_back(layer);
  }
  Layer& entry = layers_[layer];
  entry.status = status;
  if (status == "Downloading") {
    entry.current = current;
    entry.total = std::max(total, current);
  } else if (status == "Download complete" || finished) {
    entry.current = entry.total;
  }
  done_ += finished && !entry.done ? 1 : 0;
  entry.done = entry.done || finished;
  if (shown_at_ == std::chrono::steady_clock::time_point{}) {
    shown_at_ = now;
  }
  const std::size_t quarter = done_ * 4 / layers_.size();
  const bool further = finished && quarter > shown_quarter_;
  if (!further && now - shown_at_ < kAtMostEvery) {
    return std::nullopt;
  }
  shown_quarter_ = std::max(quarter, shown_quarter_);
  shown_at_ = now;
  return line();
}

bool PullProgress::bars_are_due(std::chrono::steady_clock::time_point now) {
  if (layers_.empty() || now - bars_at_ < kBetweenBars) {
    return false;
  }
  bars_at_ = now;
  return true;
}

PullDetails PullProgress::bars() const {
  PullDetails details;
  details.done = done_;
  details.count = layers_.size();
  for (const std::string& id : order_) {
    if (const Layer& layer = layers_.at(id); !layer.done) {
      details.layers.push_back({id, layer.status, layer.current, layer.total});
    }
  }
  return details;
}

std::string PullProgress::line() const {
  std::uint64_t current = 0;
  std::uint64_t total = 0;
  for (const auto& [name, layer] : layers_) {
    current += layer.current;
    total += layer.total;
  }
  const auto megabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::string out = fmt::format("{} of {} layers", done_, layers_.size());
  if (total > 0) {
    out += fmt::format(", {:.1f} of {:.1f} MB", megabytes(current), megabytes(total));
  }
  return out;
}

}  // namespace bluegreen
