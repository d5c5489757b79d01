// How many requests wait: this worker's gauges, and the limit, which is for all workers together.
//
// In a worker, one thread. The sum reads other workers' gauges, which a killed one leaves behind;
// so only when the line seems full the kernel is asked who of them lives.
#pragma once

#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

inline void change_waiting(App& app, shm::Color color, int by) noexcept {
  const std::size_t c = shm::index_of(color);
  app.waiting[c] += static_cast<std::uint64_t>(static_cast<std::int64_t>(by));
  // Relaxed pairs with readers' relaxed loads: nothing is decided by it but a limit.
  app.counters[c]->waiting.store(app.waiting[c], std::memory_order_relaxed);
}

inline std::uint64_t count_waiting(const Upstream& upstream, bool live_only) noexcept {
  const App& app = *upstream.app;
  const TelemetryWriter& telemetry = upstream.conf->telemetry;
  std::uint64_t sum = 0;
  for (std::size_t c = 0; c < 2; ++c) {
    sum += app.counters[c] == &app.own[c] ? app.waiting[c] : 0;  // this worker has no slot
  }
  if (telemetry.region() == nullptr || app.index == shm::kMaxApps) {
    return sum;
  }
  for (std::uint32_t slot = 0; slot < shm::kMaxSlots; ++slot) {
    const auto& counters = telemetry.region()->slots[slot].counters[app.index];
    // Relaxed in both pairs with the owner's relaxed store in change_waiting.
    const std::uint64_t here = counters[0].waiting.load(std::memory_order_relaxed) +
                               counters[1].waiting.load(std::memory_order_relaxed);
    if (here != 0 && (!live_only || telemetry.slot_is_live(slot))) {
      sum += here;
    }
  }
  return sum;
}

inline bool is_line_full(const Upstream& upstream) noexcept {
  const std::uint32_t max = upstream.gate.hold.max;
  return count_waiting(upstream, false) >= max && count_waiting(upstream, true) >= max;
}

}  // namespace bluegreen::glue
