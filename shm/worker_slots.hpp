// Who owns which slot: a write lock on the slot's first byte, held through an open file
// description (F_OFD_SETLK, Linux 3.15).
//
// The kernel frees such a lock when the last descriptor of that description closes, so when the
// worker ends, however it ends, and not before: a worker that is only stopped keeps it. Anybody
// who can open the file can ask, from any container, with a read-only descriptor. A process id or
// a heartbeat can be wrong about either; a free lock alone proves that the owner is gone.
//
// Owner (a worker, after fork, with a descriptor of its own that no child inherits):
//   1. lock the first free byte, in order of the slots
//   2. store 0 to all gauges, then its pid, time and state
//   3. store the id of the control region that it obeys, once it does
//   4. on a clean exit store 0 there and close; the kernel does the rest
// Reader (bgctl, another worker): ask for the lock first, then read the slot. A slot that is free
// when asked has no requests. A live one may still show its dead predecessor's gauges for a moment
// (between 1 and 2): the reader sees too many in flight, never too few.
//
// Errors are values: kNoSlot with errno, kUnknown when the kernel does not answer.
#pragma once

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "shm/telemetry_region.hpp"

namespace bluegreen::shm {

inline constexpr std::uint32_t kNoSlot = kMaxSlots;

namespace detail {

// The byte range that stands for a lock; the process id must be 0 for OFD locks.
inline struct flock byte_lock(std::uint64_t offset) noexcept {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = 1;
  return lock;
}

}  // namespace detail

inline bool try_lock_byte(int fd, std::uint64_t offset) noexcept {
  struct flock lock = detail::byte_lock(offset);
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

inline void unlock_byte(int fd, std::uint64_t offset) noexcept {
  struct flock lock = detail::byte_lock(offset);
  lock.l_type = F_UNLCK;
  ::fcntl(fd, F_OFD_SETLK, &lock);
}

enum class SlotLife : std::uint8_t { kFree, kLive, kUnknown };

// `fd`: any descriptor of the telemetry file but the owner's own, which sees its lock as free.
inline SlotLife slot_life(int fd, std::uint32_t slot) noexcept {
  struct flock lock = detail::byte_lock(slot_offset(slot));
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) {
    return SlotLife::kUnknown;
  }
  return lock.l_type == F_UNLCK ? SlotLife::kFree : SlotLife::kLive;
}

// Owner's steps 1 and 2. kNoSlot when all are taken or the kernel refuses (errno).
inline std::uint32_t take_slot(int fd, TelemetryRegion& region, std::uint32_t pid,
                               std::uint64_t now_unix_ns) noexcept {
  for (std::uint32_t i = 0; i < kMaxSlots; ++i) {
    if (!try_lock_byte(fd, slot_offset(i))) {
      if (errno == EAGAIN || errno == EACCES) {
        continue;
      }
      return kNoSlot;
    }
    Slot& slot = region.slots[i];
    // Release in all of these pairs with the acquire of readers, who show them to people; what
    // drain relies on are the gauges, whose first increment is seq_cst (in_flight.hpp).
    slot.attached_control.store(0, std::memory_order_release);
    for (auto& app : slot.counters) {
      for (Counters& color : app) {
        color.in_flight.store(0, std::memory_order_release);
        color.waiting.store(0, std::memory_order_release);
      }
    }
    slot.pid.store(pid, std::memory_order_release);
    slot.taken_unix_ns.store(now_unix_ns, std::memory_order_release);
    slot.owners.fetch_add(1, std::memory_order_release);
    slot.state.store(1, std::memory_order_release);
    return i;
  }
  return kNoSlot;
}

}  // namespace bluegreen::shm
