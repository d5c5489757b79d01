// The two checks of the regions: CRC-32C for bytes at rest, a 64-bit mixer for the route word.
//
// CRC-32C (Castagnoli, RFC 3720 appendix B.4: reflected polynomial 0x82F63B78, initial value and
// final xor 0xFFFFFFFF) guards headers, names and endpoint tables against torn writes and damage.
// The mixer is the finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
// Neither is meant against somebody who may write the file: file modes are.
//
// Pure functions, any process, any thread; they cannot fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bluegreen::shm {

namespace detail {

constexpr std::array<std::uint32_t, 256> make_crc32c_table() noexcept {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    }
    table[byte] = value;
  }
  return table;
}

inline constexpr std::array<std::uint32_t, 256> kCrc32cTable = make_crc32c_table();

}  // namespace detail

inline std::uint32_t crc32c(const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t value = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < size; ++i) {
    // The table is constexpr: clang 14's analyzer does not see what is in it.
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
    value = (value >> 8) ^ detail::kCrc32cTable[(value ^ bytes[i]) & 0xFFU];
  }
  return value ^ 0xFFFFFFFFU;
}

constexpr std::uint64_t mix64(std::uint64_t value) noexcept {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

}  // namespace bluegreen::shm
