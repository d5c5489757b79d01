// How long a hold counts: the ticket that stands beside a route word with the hold flag.
//
//    0  u64   deadline on CLOCK_BOOTTIME, nanoseconds
//    8  16    the boot's id (/proc/sys/kernel/random/boot_id, its 32 hex digits as bytes)
//   24  u32   CRC-32C over bytes 0 to 23
//   28  u32   zero
//
// A hold counts while all of these hold; else the flag is as if it were not set:
//   1. the route word has the hold flag,
//   2. the ticket's CRC is right,
//   3. its boot is this one,
//   4. CLOCK_BOOTTIME is before the deadline, which is at most kMaxHoldNs away.
// So a controller that died cannot hold traffic for ever, and a reboot ends every hold.
//
// A record has two tickets: the one of a word is number (generation & 1). The writer fills the
// ticket of the next generation, flushes it, and then stores the word, so a ticket is never
// changed while the word that it belongs to counts.
//
// Pure but for the two that ask the kernel (boot_id, boottime_ns); any process, any thread.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shm/checksum.hpp"
#include "shm/clock.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen::shm {

// Longer than any migration; a deadline further away is damage.
inline constexpr std::uint64_t kMaxHoldNs = 24ULL * 3600 * 1000000000;

struct BootId {
  std::uint8_t bytes[16];
};

struct HoldTicket {
  std::uint64_t deadline_boottime_ns;
  BootId boot;
  std::uint32_t crc;
  std::uint32_t zero;
};
static_assert(sizeof(HoldTicket) == 32 && offsetof(HoldTicket, crc) == 24);

inline std::uint32_t ticket_crc(const HoldTicket& ticket) noexcept {
  return crc32c(&ticket, offsetof(HoldTicket, crc));
}

inline HoldTicket make_ticket(std::uint64_t deadline_boottime_ns, const BootId& boot) noexcept {
  HoldTicket ticket{};
  ticket.deadline_boottime_ns = deadline_boottime_ns;
  ticket.boot = boot;
  ticket.crc = ticket_crc(ticket);
  return ticket;
}

// Conditions 2 to 4: the nanoseconds that are left, 0 when the ticket does not count.
inline std::uint64_t ticket_left_ns(const HoldTicket& ticket, const BootId& boot,
                                    std::uint64_t now_boottime_ns) noexcept {
  if (ticket.crc != ticket_crc(ticket) ||
      std::memcmp(ticket.boot.bytes, boot.bytes, sizeof(boot.bytes)) != 0 ||
      ticket.deadline_boottime_ns <= now_boottime_ns) {
    return 0;
  }
  const std::uint64_t left = ticket.deadline_boottime_ns - now_boottime_ns;
  return left <= kMaxHoldNs ? left : 0;
}

// Copies a ticket word by word, like copy_table (control_region.hpp): its CRC tells whether it is
// whole.
inline void copy_ticket(const HoldTicket& from, HoldTicket& to) noexcept {
  std::uint64_t words[sizeof(HoldTicket) / sizeof(std::uint64_t)];
  for (std::size_t i = 0; i < sizeof(words) / sizeof(words[0]); ++i) {
    // Relaxed pairs with store_ticket's relaxed; the route word orders both.
    words[i] = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(&from) + i, __ATOMIC_RELAXED);
  }
  std::memcpy(&to, words, sizeof(to));
}

inline void store_ticket(const HoldTicket& from, HoldTicket& to) noexcept {
  std::uint64_t words[sizeof(HoldTicket) / sizeof(std::uint64_t)];
  std::memcpy(words, &from, sizeof(from));
  for (std::size_t i = 0; i < sizeof(words) / sizeof(words[0]); ++i) {
    // Relaxed pairs with copy_ticket; the store of the word that follows is what publishes it.
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(&to) + i, words[i], __ATOMIC_RELAXED);
  }
}

// Reads "01234567-89ab-..." as the kernel writes it. False when it is not 32 hex digits.
inline bool parse_boot_id(const char* text, std::size_t size, BootId& out) noexcept {
  std::size_t digits = 0;
  BootId id{};
  for (std::size_t i = 0; i < size && text[i] != '\n' && text[i] != '\0'; ++i) {
    const char c = text[i];
    if (c == '-') {
      continue;
    }
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0 || digits == 2 * sizeof(id.bytes)) {
      return false;
    }
    id.bytes[digits / 2] = static_cast<std::uint8_t>((id.bytes[digits / 2] << 4) | value);
    ++digits;
  }
  if (digits != 2 * sizeof(id.bytes)) {
    return false;
  }
  out = id;
  return true;
}

// This boot's id. False with errno when the kernel does not tell.
inline bool boot_id(BootId& out) noexcept {
  const UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t got = fd ? ::read(fd.get(), text, sizeof(text)) : -1;
  return got > 0 && parse_boot_id(text, static_cast<std::size_t>(got), out);
}

inline std::uint64_t boottime_ns() noexcept {
  return clock_ns(CLOCK_BOOTTIME);
}

}  // namespace bluegreen::shm
