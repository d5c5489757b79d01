// The telemetry region: what NGINX's workers say and everybody else only reads.
//
//        0  4096   header (region_file.hpp); `stride` 16512, `entries` 128.
//                  Its id is the instance: another id means that all counters began at 0 again.
//                  At 128, u64: workers that serve without a slot; not 0 means in-flight figures
//                  are not exact
//     4096  8192   64 application names of 128 bytes (AppName): the index of an application here,
//                  which is not its index in the control region
//    12288  64 mirrors of 20608 bytes (Mirror): the last word and tables that a worker accepted,
//                  for workers that start when the control region is damaged
//  1331200  128 slots of 16512 bytes (Slot), one for each live worker
//
// Writers: the master creates it and adds names; each worker writes its own slot, and a mirror
// while it holds the lock on that mirror's first byte. Readers trust nothing: counts and indexes
// are checked, text is cut at its field.
//
// Slot, 16512 bytes:
//     0  u32  state: 0 never used, 1 used; whether it is live now only the lock tells
//     4  u32  process id of the last owner, for people
//     8  u64  time it was taken, Unix nanoseconds
//    16  u64  id of the control region that its owner obeys; 0 none
//    24  u64  NGINX configuration cycles that its owner's master has seen, for people
//    32  u32  ControlState as its owner sees it
//    36  u32  owners so far
//    40  88   zero
//   128  64 x 2 x 128  Counters[application][color]
// All are written by the owner alone, who holds the lock (worker_slots.hpp). A new owner sets the
// gauges to 0 and lets the counters run on, so sums over all slots never go back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "shm/endpoint.hpp"
#include "shm/limits.hpp"
#include "shm/region_file.hpp"
#include "shm/text_field.hpp"

namespace bluegreen::shm {

enum class ControlState : std::uint32_t { kMissing = 0, kOk = 1, kDamaged = 2 };

constexpr std::string_view name_of(ControlState state) noexcept {
  switch (state) {
    case ControlState::kOk:
      return "ok";
    case ControlState::kDamaged:
      return "damaged";
    case ControlState::kMissing:
      break;
  }
  return "missing";
}

struct AppName {
  std::atomic<std::uint32_t> state;  // 0 free, 1 named
  std::uint32_t zero1;
  char name[kAppNameSize];
  char zero2[56];
};
static_assert(sizeof(AppName) == 128);

// One worker's figures for one color of one application. A cache line pair of its own, so that a
// worker never waits for another one's stores.
struct alignas(64) Counters {
  std::atomic<std::uint64_t> in_flight;     // gauge: requests admitted and not ended
  std::atomic<std::uint64_t> requests;      // admitted so far
  std::atomic<std::uint64_t> responses[5];  // ended, by class of the status: 1xx to 5xx
  std::atomic<std::uint64_t> no_response;   // ended without a status
  std::atomic<std::uint64_t> tries;         // connections asked for, first tries included
  std::atomic<std::uint64_t> failures;      // tries that failed
  std::atomic<std::uint64_t> withdrawn;     // announced and taken back: the color had closed
  std::atomic<std::uint64_t> waiting;       // gauge: held, came while this color was active
  std::atomic<std::uint64_t> weighted;      // of `requests`, by the weight, not being active
  std::atomic<std::uint64_t> previews;      // of `requests`, by a preview's secret
  std::atomic<std::uint64_t> fallbacks;     // of `requests`, because the other could not be reached
  std::atomic<std::uint64_t> refused;       // answered 503 by us (hold, maintenance, nobody), came
                                            // while this color was active
};
static_assert(sizeof(Counters) == 128 && offsetof(Counters, no_response) == 56 &&
              offsetof(Counters, waiting) == 88 && offsetof(Counters, refused) == 120);

struct alignas(64) Slot {
  std::atomic<std::uint32_t> state;
  std::atomic<std::uint32_t> pid;
  std::atomic<std::uint64_t> taken_unix_ns;
  std::atomic<std::uint64_t> attached_control;
  std::atomic<std::uint64_t> cycle;
  std::atomic<std::uint32_t> control_state;
  std::atomic<std::uint32_t> owners;
  char zero[88];
  Counters counters[kMaxApps][2];
};
static_assert(sizeof(Slot) == 128 + 64 * 2 * 128 && offsetof(Slot, attached_control) == 16 &&
              offsetof(Slot, control_state) == 32 && offsetof(Slot, counters) == 128);

// Two copies, so that a writer killed in the middle leaves one whole.
struct MirrorCopy {
  std::uint32_t crc;  // CRC-32C over bytes 4 to the end
  std::uint32_t control_index;
  std::uint64_t control_id;
  std::uint64_t word;
  std::uint64_t generation;
  std::uint64_t accepted_unix_ns;
  char zero[24];
  EndpointTable tables[2];
};
static_assert(sizeof(MirrorCopy) == 64 + 2 * 5120);

struct Mirror {
  MirrorCopy copies[2];
};

struct TelemetryRegion {
  RegionHeader header;
  char zero1[64];
  std::atomic<std::uint64_t> slotless;
  char zero2[kHeaderArea - 136];
  AppName names[kMaxApps];
  Mirror mirrors[kMaxApps];
  Slot slots[kMaxSlots];
};
static_assert(offsetof(TelemetryRegion, slotless) == 128 &&
              offsetof(TelemetryRegion, names) == 4096 &&
              offsetof(TelemetryRegion, mirrors) == 12288 &&
              offsetof(TelemetryRegion, slots) == 1331200 &&
              sizeof(TelemetryRegion) == 1331200 + 128 * 16512);

inline constexpr RegionKind kTelemetryKind = {{'B', 'G', 'T', 'E', 'L', 'E', '\r', '\n'},
                                              "telemetry",
                                              sizeof(TelemetryRegion),
                                              sizeof(Slot),
                                              kMaxSlots};

constexpr std::uint64_t slot_offset(std::uint32_t slot) noexcept {
  return offsetof(TelemetryRegion, slots) + std::uint64_t{slot} * sizeof(Slot);
}

// The index of an application's name, or kMaxApps.
inline std::uint32_t find_name(const AppName (&names)[kMaxApps], std::string_view name) noexcept {
  for (std::uint32_t i = 0; i < kMaxApps; ++i) {
    // Acquire pairs with the release in add_name: a named entry has its name.
    if (names[i].state.load(std::memory_order_acquire) == 1 && text_of(names[i].name) == name) {
      return i;
    }
  }
  return kMaxApps;
}

// Master only, before it forks: names are added and stay. kMaxApps when all are taken.
inline std::uint32_t add_name(AppName (&names)[kMaxApps], std::string_view name) noexcept {
  const std::uint32_t known = find_name(names, name);
  if (known != kMaxApps || !is_app_name(name)) {
    return known;
  }
  for (std::uint32_t i = 0; i < kMaxApps; ++i) {
    // Relaxed: the only writer reads what it wrote itself; pairs with no other thread.
    if (names[i].state.load(std::memory_order_relaxed) == 0) {
      set_text(names[i].name, name);
      // Release pairs with the acquire in find_name.
      names[i].state.store(1, std::memory_order_release);
      return i;
    }
  }
  return kMaxApps;
}

}  // namespace bluegreen::shm
