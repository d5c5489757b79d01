// Numbers that go round, as a generation or an epoch does of which a word keeps the lower bits.
// Pure; any process, any thread.
#pragma once

#include <cstdint>

namespace bluegreen::shm {

// Ahead is what is less than half the circle in front. `mask`: 2^bits - 1.
constexpr bool is_ahead(std::uint32_t number, std::uint32_t of, std::uint32_t mask) noexcept {
  const std::uint32_t ahead = (number - of) & mask;
  return ahead != 0 && ahead <= mask / 2;
}

}  // namespace bluegreen::shm
