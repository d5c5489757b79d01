// What NGINX's probes have found out about one endpoint: a word that decides, and details that
// people read. Written by the elected prober (prober_lease.hpp), read by every worker and by bgctl.
//
// Word, 64 bits:
//      0-1   health: 0 unknown, 1 healthy, 2 unhealthy, 3 degraded (healthy, but slow)
//      2-21  the lease's epoch under which it was written, modulo 2^20
//     22-63  tag: which endpoint it is about (tag_of); a reader whose endpoint has another tag
//     knows
//            nothing about it. 0: nothing was written yet
//
// HealthDetail, 256 bytes, two of them a record; the one that counts is at (epoch & 1), when its
// CRC is right and its tag is the word's:
//      0  u32  CRC-32C over bytes 4 to the end
//      4  u32  epoch
//      8  u64  tag
//     16  u64  since: when the health became what it is, Unix nanoseconds
//     24  u64  checked: end of the last probe, Unix nanoseconds
//     32  u64  probes so far, of this endpoint
//     40  u64  of these, failed
//     48  u32  latency of the last probe, microseconds
//     52  u16  status: HTTP's or gRPC's, 0 without one
//     54  u8   health, as in the word
//     55  u8   zero
//     56  u16  successes in a row
//     58  u16  failures in a row
//     60  u32  zero
//     64  192  last error, text; empty: the last probe succeeded
//
// Writer's steps, holding the lease with epoch e:
//   1. the detail at (e & 1): crc 0, the fields, the crc
//   2. compare and swap the word from one whose epoch is not newer than e. If that fails and the
//      word is newer, the lease is lost: stop probing
//   3. when `health` has changed: count up the application's `health_moves`
// A prober that has just taken the lease first does this for every record of its configuration,
// with the health that it finds. From then on the compare and swap of its predecessor, stopped at
// any point and woken later, fails; the detail that it may still write is the one that does not
// count. (Two takeovers later it is again: then the CRC and the epoch in the detail tell.)
//
// Any process; the writer is one thread. Nothing fails: what is not whole reads as unknown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "shm/checksum.hpp"
#include "shm/circle.hpp"
#include "shm/endpoint.hpp"
#include "shm/text_field.hpp"

namespace bluegreen::shm {

enum class Health : std::uint8_t { kUnknown = 0, kHealthy = 1, kUnhealthy = 2, kDegraded = 3 };

constexpr std::string_view name_of(Health health) noexcept {
  switch (health) {
    case Health::kHealthy:
      return "healthy";
    case Health::kUnhealthy:
      return "unhealthy";
    case Health::kDegraded:
      return "degraded";
    case Health::kUnknown:
      break;
  }
  return "unknown";
}

inline constexpr std::uint32_t kEpochMask = 0xFFFFF;
inline constexpr std::uint64_t kTagMask = (std::uint64_t{1} << 42) - 1;
inline constexpr std::size_t kProbeErrorSize = 192;

// Of an endpoint in a table that was published under this generation: its address, its identity
// and the generation go in, so that a successor at the same address is another one. Never 0.
inline std::uint64_t tag_of(const Endpoint& endpoint, std::uint64_t generation) noexcept {
  std::uint64_t mixed = mix64(endpoint.identity ^ mix64(generation));
  mixed = mix64(mixed ^ (std::uint64_t{endpoint.port} << 8) ^
                static_cast<std::uint64_t>(endpoint.family));
  for (std::size_t at = 0; at < sizeof(endpoint.address); at += 8) {
    std::uint64_t part = 0;
    std::memcpy(&part, endpoint.address + at, sizeof(part));
    mixed = mix64(mixed ^ part);
  }
  const std::uint64_t tag = mixed & kTagMask;
  return tag != 0 ? tag : 1;
}

struct HealthState {
  Health health = Health::kUnknown;
  std::uint32_t epoch = 0;
  std::uint64_t tag = 0;
};

constexpr std::uint64_t pack_health(const HealthState& state) noexcept {
  return static_cast<std::uint64_t>(state.health) | std::uint64_t{state.epoch & kEpochMask} << 2 |
         (state.tag & kTagMask) << 22;
}

constexpr HealthState unpack_health(std::uint64_t word) noexcept {
  return {static_cast<Health>(word & 3), static_cast<std::uint32_t>(word >> 2) & kEpochMask,
          word >> 22};
}

constexpr bool epoch_is_newer(std::uint32_t epoch, std::uint32_t than) noexcept {
  return is_ahead(epoch, than, kEpochMask);
}

struct HealthDetail {
  std::uint32_t crc;
  std::uint32_t epoch;
  std::uint64_t tag;
  std::uint64_t since_unix_ns;
  std::uint64_t checked_unix_ns;
  std::uint64_t probes;
  std::uint64_t failures;
  std::uint32_t latency_us;
  std::uint16_t status;
  std::uint8_t health;
  std::uint8_t zero1;
  std::uint16_t successes_in_row;
  std::uint16_t failures_in_row;
  std::uint32_t zero2;
  char last_error[kProbeErrorSize];
};
static_assert(sizeof(HealthDetail) == 256 && offsetof(HealthDetail, last_error) == 64);

struct alignas(64) HealthRecord {
  std::atomic<std::uint64_t> word;
  char zero[56];
  HealthDetail details[2];
};
static_assert(sizeof(HealthRecord) == 576);

inline std::uint32_t detail_crc(const HealthDetail& detail) noexcept {
  return crc32c(reinterpret_cast<const char*>(&detail) + sizeof(detail.crc),
                sizeof(detail) - sizeof(detail.crc));
}

// Any reader. kUnknown unless the record is about the endpoint with this tag.
inline Health health_of(const HealthRecord& record, std::uint64_t tag) noexcept {
  // Acquire pairs with the writer's compare and swap.
  const HealthState state = unpack_health(record.word.load(std::memory_order_acquire));
  return state.tag == tag ? state.health : Health::kUnknown;
}

// Any reader: a copy of what is known about the endpoint with this tag. False when there is
// nothing, or the writer is at work.
inline bool read_detail(const HealthRecord& record, std::uint64_t tag, HealthDetail& out) noexcept {
  // Acquire pairs with the writer's compare and swap, behind its detail.
  const HealthState state = unpack_health(record.word.load(std::memory_order_acquire));
  if (state.tag != tag || tag == 0) {
    return false;
  }
  std::memcpy(&out, &record.details[state.epoch & 1], sizeof(out));
  return out.crc == detail_crc(out) && out.tag == tag && (out.epoch & kEpochMask) == state.epoch;
}

// The writer's steps 1 and 2. `detail`: everything but crc and epoch. False: somebody with a newer
// epoch is the prober.
inline bool write_health(HealthRecord& record, std::uint32_t epoch, HealthDetail detail) noexcept {
  detail.epoch = epoch & kEpochMask;
  detail.crc = detail_crc(detail);
  HealthDetail& copy = record.details[epoch & 1];
  copy.crc = ~detail.crc;
  // Release and acquire fences pair with a reader's checksum: a torn copy does not pass for whole.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::memcpy(reinterpret_cast<char*>(&copy) + sizeof(copy.crc),
              reinterpret_cast<const char*>(&detail) + sizeof(detail.crc),
              sizeof(detail) - sizeof(detail.crc));
  std::atomic_thread_fence(std::memory_order_release);
  copy.crc = detail.crc;
  const std::uint64_t fresh =
      pack_health({static_cast<Health>(detail.health & 3), detail.epoch, detail.tag});
  // Acquire pairs with the compare and swap of another prober.
  std::uint64_t seen = record.word.load(std::memory_order_acquire);
  do {
    const HealthState state = unpack_health(seen);
    if (state.tag != 0 && epoch_is_newer(state.epoch, detail.epoch)) {
      return false;
    }
    // Acquire and release: readers' acquire sees the detail; the failure's load as above.
  } while (!record.word.compare_exchange_weak(seen, fresh, std::memory_order_acq_rel,
                                              std::memory_order_acquire));
  return true;
}

}  // namespace bluegreen::shm
