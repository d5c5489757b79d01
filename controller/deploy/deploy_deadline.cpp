// See deploy_deadline.hpp.
#include "controller/deploy/deploy_deadline.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace bluegreen {

namespace {

using std::chrono::milliseconds;

constexpr const char* kBoot = "begun_boot";
constexpr const char* kSinceBoot = "begun_since_boot_ms";
constexpr const char* kWall = "begun_wall_ms";

milliseconds wall_ms(Clock& clock) {
  return std::chrono::duration_cast<milliseconds>(clock.wall().time_since_epoch());
}

std::optional<milliseconds> number_in(const Facts& plan, const char* key) {
  const auto found = plan.find(key);
  if (found == plan.end()) {
    return std::nullopt;
  }
  const std::string& text = found->second;
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole ? std::optional(milliseconds(number)) : std::nullopt;
}

milliseconds elapsed(const Facts& plan, Clock& clock) {
  const BootTime now = clock.boot();
  const auto boot = plan.find(kBoot);
  const bool same_boot = boot != plan.end() && !now.boot.empty() && boot->second == now.boot;
  const auto began = number_in(plan, same_boot ? kSinceBoot : kWall);
  if (!began) {
    return milliseconds{0};
  }
  return std::max(milliseconds{0}, (same_boot ? now.since : wall_ms(clock)) - *began);
}

}  // namespace

void note_beginning(Facts& plan, Clock& clock) {
  const BootTime now = clock.boot();
  plan[kBoot] = now.boot;
  plan[kSinceBoot] = std::to_string(now.since.count());
  plan[kWall] = std::to_string(wall_ms(clock).count());
}

Deadline give_up_at(const Facts& plan, const AppConfig& config, Clock& clock) {
  return clock.now() + (config.deploy_within - elapsed(plan, clock));
}

}  // namespace bluegreen
