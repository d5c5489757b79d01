// See attach_wait.hpp.
#include "controller/deploy/attach_wait.hpp"

namespace bluegreen {

std::string wait_attached(TelemetryPort& telemetry, Clock& clock, std::uint64_t control_id) {
  constexpr std::chrono::milliseconds kBetweenLooks{5};
  Attachment now = telemetry.attachment(control_id);
  if (now.complete()) {
    return {};
  }
  const auto deadline = clock.now() + kAttachWithin;
  while (!now.complete() && clock.now() < deadline) {
    clock.pause(kBetweenLooks);
    now = telemetry.attachment(control_id);
  }
  if (now.complete()) {
    return {};
  }
  return std::to_string(now.live_workers - now.attached_workers) + " of " +
         std::to_string(now.live_workers) + " NGINX workers do not obey this control file";
}

}  // namespace bluegreen
