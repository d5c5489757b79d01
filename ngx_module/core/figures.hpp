// Sums over the workers' slots, for the status document.
//
// Requests are summed over all slots, dead owners' too, so that they never go back. In flight
// counts the slots of live owners only: a worker that was killed has taken its requests with it,
// and only the kernel's lock tells who lives. `life` answers that for a slot (glue asks the kernel,
// tests answer themselves); it is asked before the slot is read, see worker_slots.hpp.
//
// Any process, one thread; reads with relaxed order, believes no index (`app` is checked).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "shm/telemetry_region.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen::core {

struct Figures {
  std::uint64_t in_flight = 0;
  std::uint64_t requests = 0;
  std::uint64_t waiting = 0;
  std::uint64_t weighted = 0;
  std::uint64_t previews = 0;
  std::uint64_t fallbacks = 0;
  std::uint64_t refused = 0;
  std::uint64_t responses[5] = {};
  std::uint64_t no_response = 0;
  std::uint64_t tries = 0;
  std::uint64_t failures = 0;
};

inline constexpr std::string_view kClassNames[5] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

struct AppFigures {
  Figures color[2];
};

inline std::uint64_t shown(const std::atomic<std::uint64_t>& figure) noexcept {
  // Relaxed pairs with the owner's relaxed stores: each figure counts alone, and nothing is decided
  // by it here (drain has its own reader).
  return figure.load(std::memory_order_relaxed);
}

inline void add(Figures& sum, const shm::Counters& counters, bool live) noexcept {
  sum.requests += shown(counters.requests);
  sum.weighted += shown(counters.weighted);
  sum.previews += shown(counters.previews);
  sum.fallbacks += shown(counters.fallbacks);
  sum.refused += shown(counters.refused);
  for (std::size_t i = 0; i < 5; ++i) {
    sum.responses[i] += shown(counters.responses[i]);
  }
  sum.no_response += shown(counters.no_response);
  sum.tries += shown(counters.tries);
  sum.failures += shown(counters.failures);
  if (live) {
    sum.in_flight += shown(counters.in_flight);
    sum.waiting += shown(counters.waiting);
  }
}

struct Workers {
  std::uint32_t live = 0;
  std::uint32_t attached = 0;  // of these, to the control region with the id asked for
};

// Which slots are live, asked once for a whole document. What a slot has that was never taken is 0.
struct LiveSlots {
  bool taken[shm::kMaxSlots] = {};
  bool live[shm::kMaxSlots] = {};
  Workers workers;
};

template <typename Life>
LiveSlots live_slots(const shm::TelemetryRegion& region, std::uint64_t control_id,
                     const Life& life) noexcept {
  LiveSlots out;
  for (std::uint32_t i = 0; i < shm::kMaxSlots; ++i) {
    const shm::Slot& slot = region.slots[i];
    // Acquire pairs with take_slot's store, which comes before the slot's first figure.
    out.taken[i] = slot.pid.load(std::memory_order_acquire) != 0;
    // Acquire in both pairs with the owner's release stores in take_slot and attach.
    if (slot.state.load(std::memory_order_acquire) == 0 || !life(i)) {
      continue;
    }
    out.live[i] = true;
    ++out.workers.live;
    if (control_id != 0 && slot.attached_control.load(std::memory_order_acquire) == control_id) {
      ++out.workers.attached;
    }
  }
  return out;
}

inline AppFigures sum_slots(const shm::TelemetryRegion& region, std::uint32_t app,
                            const LiveSlots& slots) noexcept {
  AppFigures sum;
  if (app >= shm::kMaxApps) {
    return sum;
  }
  for (std::uint32_t i = 0; i < shm::kMaxSlots; ++i) {
    if (!slots.taken[i]) {
      continue;
    }
    for (const shm::Color color : shm::kColors) {
      const std::size_t c = shm::index_of(color);
      add(sum.color[c], region.slots[i].counters[app][c], slots.live[i]);
    }
  }
  return sum;
}

}  // namespace bluegreen::core
