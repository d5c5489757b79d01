// The last 256 things that happened, for people: flips, weights, health, leases, regions.
//
// Event, 256 bytes:
//      0  u64  number, from 1; 0 never used
//      8  u64  time, Unix nanoseconds
//     16  u32  kind (EventKind)
//     20  u32  process id of the worker that saw it
//     24  u8   application's index in the telemetry region, 255 none
//     25  u8   color, 255 none
//     26  u8   old health, or the old color that was active
//     27  u8   new health, or the new color that is active
//     28  u32  weight of the color that is not active, basis points
//     32  u64  generation of the route
//     40  88   endpoint's address, or empty
//    128  124  what was the matter, or empty
//    252  u32  CRC-32C over bytes 0 to 251
//
// Writer, any worker: take the next number, fill the event at (number - 1) % 256, its number last.
// Two writers meet in one event only when 256 others came between them: then the CRC is wrong and
// the event is not shown. A writer that is killed leaves an event with a wrong CRC, or the one
// before it. Readers copy, check CRC and number, and skip what is wrong.
//
// Nothing waits, nothing fails.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "shm/checksum.hpp"

namespace bluegreen::shm {

inline constexpr std::uint32_t kEvents = 256;

enum class EventKind : std::uint32_t {
  kNone = 0,
  kFlip = 1,             // the active color is another one
  kWeight = 2,           // so is the weight
  kFlags = 3,            // a hold, maintenance, a closed color, fallback
  kEndpoints = 4,        // a color's table is another one
  kHealth = 5,           // of an endpoint
  kLease = 6,            // another worker probes
  kControlDamaged = 7,   // or missing
  kControlHealed = 8,    // whole again
  kTelemetryHealed = 9,  // written over or cut, and set right again
  kStarted = 10,         // a worker of a new configuration, the first of it
};

constexpr std::string_view name_of(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::kFlip:
      return "flip";
    case EventKind::kWeight:
      return "weight";
    case EventKind::kFlags:
      return "flags";
    case EventKind::kEndpoints:
      return "endpoints";
    case EventKind::kHealth:
      return "health";
    case EventKind::kLease:
      return "lease";
    case EventKind::kControlDamaged:
      return "control_damaged";
    case EventKind::kControlHealed:
      return "control_healed";
    case EventKind::kTelemetryHealed:
      return "telemetry_healed";
    case EventKind::kStarted:
      return "started";
    case EventKind::kNone:
      break;
  }
  return "none";
}

inline constexpr std::uint8_t kNobody = 255;

struct Event {
  std::uint64_t number;
  std::uint64_t unix_ns;
  std::uint32_t kind;
  std::uint32_t pid;
  std::uint8_t app;
  std::uint8_t color;
  std::uint8_t before;
  std::uint8_t after;
  std::uint32_t weight;
  std::uint64_t generation;
  char endpoint[88];
  char text[124];
  std::uint32_t crc;
};
static_assert(sizeof(Event) == 256 && offsetof(Event, endpoint) == 40 &&
              offsetof(Event, text) == 128 && offsetof(Event, crc) == 252);

struct EventRing {
  std::atomic<std::uint64_t> count;
  char zero[56];
  Event events[kEvents];
};
static_assert(sizeof(EventRing) == 64 + 256 * 256);

inline std::uint32_t event_crc(const Event& event) noexcept {
  return crc32c(&event, offsetof(Event, crc));
}

// Any worker. The event's number and CRC are set here.
inline void add_event(EventRing& ring, Event event) noexcept {
  // Relaxed: it only hands out numbers; pairs with no store.
  event.number = ring.count.fetch_add(1, std::memory_order_relaxed) + 1;
  event.crc = event_crc(event);
  Event& place = ring.events[(event.number - 1) % kEvents];
  place.crc = ~event.crc;
  // Fences keep a half-written event from passing for whole: a reader sees the wrong CRC first.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::memcpy(&place, &event, offsetof(Event, crc));
  std::atomic_thread_fence(std::memory_order_release);
  place.crc = event.crc;
}

// Any reader: the event with this number, when it is there and whole.
inline bool read_event(const EventRing& ring, std::uint64_t number, Event& out) noexcept {
  if (number == 0) {
    return false;
  }
  std::memcpy(&out, &ring.events[(number - 1) % kEvents], sizeof(out));
  return out.number == number && out.crc == event_crc(out);
}

}  // namespace bluegreen::shm
