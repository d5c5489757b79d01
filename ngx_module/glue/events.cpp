// See events.hpp.
#include "ngx_module/glue/events.hpp"

#include <unistd.h>

namespace bluegreen::glue {

void note_event(MainConf& conf, shm::Event event) noexcept {
  shm::TelemetryDetail* const detail = conf.telemetry.detail();
  if (detail == nullptr) {
    return;
  }
  event.unix_ns = unix_ns();
  event.pid = static_cast<std::uint32_t>(::getpid());
  shm::add_event(detail->events, event);
}

}  // namespace bluegreen::glue
