// Who probes: one worker of all that share a telemetry file, by a lease in it.
//
//     0  u64  holder: epoch, 32 bits, in the upper half; slot + 1 in the lower half, 0: nobody
//     8  u64  renewed[2]: at (epoch & 1), when the holder was last seen at work, CLOCK_BOOTTIME ns
//
// A worker's steps, a few times an interval:
//   1. holder: store `renewed`, and make sure that the lease still is its own; else stop probing
//   2. anybody else: the lease is free when nobody holds it, when its holder's slot is not locked
//      (worker_slots.hpp: the holder is dead), or when `renewed` is older than the patience, about
//      one and a half intervals (the holder hangs or is stopped). Then compare and swap in the next
//      epoch and the own slot, store `renewed`, and take over every record (health_word.hpp)
//   3. a holder that exits gives it back: the same epoch, nobody
// A holder that was stopped and goes on finds another epoch; what it writes before it looks is
// fenced off by the epoch in each health word.
//
// Workers only write; anybody reads. Nothing waits, nothing fails.
#pragma once

#include <atomic>
#include <cstdint>

#include "shm/limits.hpp"

namespace bluegreen::shm {

struct alignas(64) ProberLease {
  std::atomic<std::uint64_t> holder;
  std::atomic<std::uint64_t> renewed_ns[2];
  char zero[40];
};
static_assert(sizeof(ProberLease) == 64);

struct LeaseHolder {
  std::uint32_t epoch = 0;
  std::uint32_t slot = kMaxSlots;  // kMaxSlots: nobody
};

inline LeaseHolder lease_holder(std::uint64_t word) noexcept {
  const auto place = static_cast<std::uint32_t>(word);
  return {static_cast<std::uint32_t>(word >> 32),
          place == 0 || place > kMaxSlots ? kMaxSlots : place - 1};
}

inline std::uint64_t pack_holder(const LeaseHolder& holder) noexcept {
  return std::uint64_t{holder.epoch} << 32 | (holder.slot < kMaxSlots ? holder.slot + 1 : 0);
}

// Step 1. False: the lease is somebody else's.
inline bool renew_lease(ProberLease& lease, const LeaseHolder& own, std::uint64_t now_ns) noexcept {
  // Release pairs with the acquire of those who wait for it to grow old.
  lease.renewed_ns[own.epoch & 1].store(now_ns, std::memory_order_release);
  // Acquire pairs with a successor's compare and swap.
  return lease.holder.load(std::memory_order_acquire) == pack_holder(own);
}

// Step 2. `is_live` answers for a slot. True: `own` has got the lease, with own.epoch set.
template <typename Life>
bool try_take_lease(ProberLease& lease, LeaseHolder& own, std::uint64_t now_ns,
                    std::uint64_t patience_ns, const Life& is_live) noexcept {
  // Acquire in both pairs with the holder's release.
  std::uint64_t seen = lease.holder.load(std::memory_order_acquire);
  const LeaseHolder holder = lease_holder(seen);
  const std::uint64_t renewed = lease.renewed_ns[holder.epoch & 1].load(std::memory_order_acquire);
  if (holder.slot != kMaxSlots && holder.slot != own.slot && is_live(holder.slot) &&
      (now_ns < renewed || now_ns - renewed < patience_ns)) {
    return false;
  }
  const LeaseHolder next{holder.epoch + 1, own.slot};
  // Relaxed pairs with nobody yet: the swap below publishes it.
  lease.renewed_ns[next.epoch & 1].store(now_ns, std::memory_order_relaxed);
  // Acquire and release pair with other workers' loads of the holder.
  if (!lease.holder.compare_exchange_strong(seen, pack_holder(next), std::memory_order_acq_rel,
                                            std::memory_order_acquire)) {
    return false;
  }
  own = next;
  return true;
}

// Step 3.
inline void give_back_lease(ProberLease& lease, const LeaseHolder& own) noexcept {
  std::uint64_t seen = pack_holder(own);
  // Release pairs with a successor's acquire; when it is not ours any more nothing is stored.
  lease.holder.compare_exchange_strong(seen, pack_holder({own.epoch, kMaxSlots}),
                                       std::memory_order_acq_rel, std::memory_order_relaxed);
}

}  // namespace bluegreen::shm
