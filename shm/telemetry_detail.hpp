// The second part of the telemetry file, behind the part that drain reads (telemetry_region.hpp):
// health of endpoints, events, and figures that only people and verdicts look at. A reader that
// does not know it does not see it, and a file without it counts as one without figures.
//
//        0   4096   DetailHeader, at offset 3444736 of the file
//     4096  65600   EventRing (event_ring.hpp), then zero up to 73728
//    73728  2662400 each: AppDetail, one for each application named in the first part, in the order
//                   of the names there: the file grows by one when a name is added (by the master,
//                   before it forks), so it is as large as the configuration needs
//
// DetailHeader:
//     0  8    magic "BGDETL\r\n"
//     8  u32  version, 1
//    12  u32  bytes of an AppDetail
//    16  u32  bytes of a SlotDetail
//    20  u32  buckets of a distribution
//    24  u64  id of the region in whose file it lies: another one is not ours
//    32  28   zero
//    60  u32  CRC-32C over bytes 0 to 59
//    64  64   ProberLease (prober_lease.hpp)
//   128  u64  the state of the control file that was told last (events are told once by all
//   workers)
//
// AppDetail:
//      0  u64  health_moves: grows whenever the health of one of its endpoints changes
//      8  u64  told_word: the route word that was told last in an event
//   4096  64 x 576  HealthRecord[color][place in the table] (health_word.hpp)
//  40960  128 slots of 20480 bytes: SlotDetail, written by the slot's owner (worker_slots.hpp);
//  holes
//         in the file until the slot is first taken: the owner allocates its own
// A SlotDetail is two ColorDetail, blue and green, of 9728 bytes, then zero. Figures go on from
// those of the slot's owner before, as Counters do.
//
// Writers: workers; the master makes and extends it. Readers check magic, version, sizes, id and
// CRC (apps_with_detail), then only add up numbers; texts have checksums of their own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shm/checksum.hpp"
#include "shm/event_ring.hpp"
#include "shm/health_word.hpp"
#include "shm/histogram.hpp"
#include "shm/prober_lease.hpp"
#include "shm/telemetry_region.hpp"

namespace bluegreen::shm {

struct DetailHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t app_size;
  std::uint32_t slot_size;
  std::uint32_t buckets;
  std::uint64_t region_id;
  char zero1[28];
  std::uint32_t crc;
  ProberLease lease;
  std::atomic<std::uint64_t> told_control;
  char zero2[4096 - 136];
};
static_assert(sizeof(DetailHeader) == 4096 && offsetof(DetailHeader, crc) == 60 &&
              offsetof(DetailHeader, lease) == 64 && offsetof(DetailHeader, told_control) == 128);

// What one worker has counted for one color of an application, beside Counters.
struct alignas(64) ColorDetail {
  std::atomic<std::uint64_t> connect_errors;  // tries that failed before anything was sent
  std::atomic<std::uint64_t> timeouts;        // tries that failed by a time-out, of either kind
  std::atomic<std::uint64_t> other_errors;    // tries that failed otherwise: reset, garbage, status
  std::atomic<std::uint64_t> retries;         // tries after a request's first one
  std::atomic<std::uint64_t> bytes_in;        // from endpoints, headers included
  std::atomic<std::uint64_t> bytes_out;       // to endpoints
  std::atomic<std::uint64_t> zero[7];
  Distribution connect;     // of new connections; NGINX's clock, 1 ms
  Distribution first_byte;  // from the try's begin to the end of the answer's header
  Distribution total;       // from the try's begin to the end of the answer
};
static_assert(sizeof(ColorDetail) == 9728 && offsetof(ColorDetail, connect) == 104);

struct SlotDetail {
  ColorDetail colors[2];
  char zero[20480 - 2 * sizeof(ColorDetail)];
};
static_assert(sizeof(SlotDetail) == 20480);

struct AppDetail {
  std::atomic<std::uint64_t> health_moves;
  std::atomic<std::uint64_t> told_word;
  char zero1[4096 - 16];
  HealthRecord health[2][kMaxEndpoints];
  SlotDetail slots[kMaxSlots];
};
static_assert(offsetof(AppDetail, health) == 4096 && offsetof(AppDetail, slots) == 40960 &&
              sizeof(AppDetail) == 40960 + 128 * 20480);

struct TelemetryDetail {
  DetailHeader header;
  EventRing events;
  char zero[69632 - sizeof(EventRing)];
  AppDetail apps[kMaxApps];  // the file may end behind any of them
};
static_assert(offsetof(TelemetryDetail, events) == 4096 &&
              offsetof(TelemetryDetail, apps) == 73728);

inline constexpr char kDetailMagic[8] = {'B', 'G', 'D', 'E', 'T', 'L', '\r', '\n'};
inline constexpr std::uint32_t kDetailVersion = 1;
inline constexpr std::uint64_t kDetailOffset = sizeof(TelemetryRegion);
static_assert(kDetailOffset % 4096 == 0);

// Where an application's part begins in the file, and one slot's part of that.
constexpr std::uint64_t app_detail_offset(std::uint32_t app) noexcept {
  return kDetailOffset + offsetof(TelemetryDetail, apps) + std::uint64_t{app} * sizeof(AppDetail);
}

constexpr std::uint64_t slot_detail_offset(std::uint32_t app, std::uint32_t slot) noexcept {
  return app_detail_offset(app) + offsetof(AppDetail, slots) +
         std::uint64_t{slot} * sizeof(SlotDetail);
}

// How long a file with the parts of so many applications is.
constexpr std::uint64_t detail_file_size(std::uint32_t apps) noexcept {
  return app_detail_offset(apps);
}

inline std::uint32_t detail_header_crc(const DetailHeader& header) noexcept {
  return crc32c(&header, offsetof(DetailHeader, crc));
}

// The master, when it makes the file or adds this part to one that has none; the crc comes last.
inline void make_detail_header(DetailHeader& header, std::uint64_t region_id) noexcept {
  std::memcpy(header.magic, kDetailMagic, sizeof(header.magic));
  header.version = kDetailVersion;
  header.app_size = sizeof(AppDetail);
  header.slot_size = sizeof(SlotDetail);
  header.buckets = kBuckets;
  header.region_id = region_id;
  header.crc = detail_header_crc(header);
}

// How many applications have their AppDetail in a file of this size with this header; 0 when it is
// not a header of this version, or another region's.
inline std::uint32_t apps_with_detail(const DetailHeader& header, std::uint64_t region_id,
                                      std::uint64_t file_size) noexcept {
  if (std::memcmp(header.magic, kDetailMagic, sizeof(header.magic)) != 0 ||
      header.version != kDetailVersion || header.app_size != sizeof(AppDetail) ||
      header.slot_size != sizeof(SlotDetail) || header.buckets != kBuckets ||
      header.region_id != region_id || header.crc != detail_header_crc(header) ||
      file_size < detail_file_size(0)) {
    return 0;
  }
  const std::uint64_t apps = (file_size - detail_file_size(0)) / sizeof(AppDetail);
  return apps < kMaxApps ? static_cast<std::uint32_t>(apps) : kMaxApps;
}

}  // namespace bluegreen::shm
