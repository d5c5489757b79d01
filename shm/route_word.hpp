// The route word: the whole routing decision of one application in one 64-bit value.
//
//   bit 0        active color (0 blue, 1 green)
//   bits 1-14    weight of the other color in basis points, 0 to 10000
//   bits 15-22   flags: 15 fallback, 16 hold, 17 maintenance, 18 closed blue, 19 closed green,
//                20-22 zero
//   bit 23       which of blue's two endpoint tables counts
//   bit 24       which of green's two endpoint tables counts
//   bits 25-44   generation, modulo 2^20: compared for equality only
//   bits 45-63   check over bits 0-44, the region's id and the application's index; never 0,
//                so the word 0 (a hole, a page of zeroes) is invalid
//
// A word counts when all of these hold:
//   1. its check is the one computed for this region and application,
//   2. the weight is at most 10000,
//   3. bits 20-22 are zero,
//   4. the active color is not closed.
// A reader loads it once, with acquire order or stronger, and needs nothing else to decide.
// The writer (bgctl, under its lock) stores it once, last, after what it points to.
//
// constexpr and pure: any process, any thread. The check finds damage and foreign words with a
// chance of 1 in 2^19 to miss one; it is no defence against a writer with write access.
#pragma once

#include <cstdint>

#include "shm/checksum.hpp"
#include "shm/limits.hpp"

namespace bluegreen::shm {

enum RouteFlag : std::uint8_t {
  kFallback = 1U << 0,     // a request whose color cannot be reached may go to the other one
  kHold = 1U << 1,         // new requests wait
  kMaintenance = 1U << 2,  // new requests are answered 503
  kClosedBlue = 1U << 3,   // no request may start on blue: it is drained, or about to be
  kClosedGreen = 1U << 4,
};

inline constexpr std::uint8_t kKnownFlags =
    kFallback | kHold | kMaintenance | kClosedBlue | kClosedGreen;

constexpr std::uint8_t closed_flag(Color color) noexcept {
  return color == Color::kBlue ? kClosedBlue : kClosedGreen;
}

inline constexpr std::uint32_t kGenerationMask = (1U << 20) - 1;

struct Route {
  Color active = Color::kBlue;
  std::uint16_t weight = 0;  // of the other color, basis points
  std::uint8_t flags = 0;    // RouteFlag
  std::uint8_t table[2] = {0, 0};
  std::uint32_t generation = 0;  // modulo 2^20

  constexpr bool has(RouteFlag flag) const noexcept { return (flags & flag) != 0; }
  constexpr bool closed(Color color) const noexcept { return (flags & closed_flag(color)) != 0; }
};

constexpr std::uint64_t route_check(std::uint64_t payload, std::uint64_t region_id,
                                    std::uint32_t app_index) noexcept {
  const std::uint64_t check = mix64(payload ^ mix64(region_id + app_index)) >> 45;
  return check == 0 ? 1 : check;
}

// Conditions 2 to 4 above: what the writer must not ask for.
constexpr bool route_is_sound(const Route& route) noexcept {
  return route.weight <= kMaxWeight && (route.flags & ~kKnownFlags) == 0 &&
         !route.closed(route.active);
}

// The word of a route, 0 (which is invalid) for one that is not sound: a weight that is too big
// would else run over into the flags.
constexpr std::uint64_t pack_route(const Route& route, std::uint64_t region_id,
                                   std::uint32_t app_index) noexcept {
  if (!route_is_sound(route)) {
    return 0;
  }
  const std::uint64_t payload =
      static_cast<std::uint64_t>(route.active) | (static_cast<std::uint64_t>(route.weight) << 1) |
      (static_cast<std::uint64_t>(route.flags) << 15) |
      (static_cast<std::uint64_t>(route.table[0] & 1U) << 23) |
      (static_cast<std::uint64_t>(route.table[1] & 1U) << 24) |
      (static_cast<std::uint64_t>(route.generation & kGenerationMask) << 25);
  return payload | (route_check(payload, region_id, app_index) << 45);
}

// What the bits say, valid or not: for readers that have checked, and for dumps of damaged files.
constexpr Route unpack_route(std::uint64_t word) noexcept {
  Route route;
  route.active = (word & 1U) != 0 ? Color::kGreen : Color::kBlue;
  route.weight = static_cast<std::uint16_t>((word >> 1) & 0x3FFFU);
  route.flags = static_cast<std::uint8_t>((word >> 15) & 0xFFU);
  route.table[0] = static_cast<std::uint8_t>((word >> 23) & 1U);
  route.table[1] = static_cast<std::uint8_t>((word >> 24) & 1U);
  route.generation = static_cast<std::uint32_t>((word >> 25) & kGenerationMask);
  return route;
}

constexpr bool route_is_valid(std::uint64_t word, std::uint64_t region_id,
                              std::uint32_t app_index) noexcept {
  constexpr std::uint64_t kPayload = (std::uint64_t{1} << 45) - 1;
  return (word >> 45) == route_check(word & kPayload, region_id, app_index) &&
         route_is_sound(unpack_route(word));
}

// The full generation stands beside the word and is stored just before it, so a reader may see
// one that is slightly newer or older: the value nearest to `beside` that the word agrees with.
constexpr std::uint64_t full_generation(std::uint32_t in_word, std::uint64_t beside) noexcept {
  const std::uint32_t ahead =
      (in_word - static_cast<std::uint32_t>(beside & kGenerationMask)) & kGenerationMask;
  if (ahead <= kGenerationMask / 2) {
    return beside + ahead;
  }
  const std::uint64_t behind = std::uint64_t{kGenerationMask} + 1 - ahead;
  return beside >= behind ? beside - behind : beside + ahead;
}

}  // namespace bluegreen::shm
