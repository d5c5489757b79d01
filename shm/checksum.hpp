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

using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;

// Table i: what a byte does when i more bytes follow it.
constexpr Crc32cTables make_crc32c_tables() noexcept {
  Crc32cTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    }
    tables[0][byte] = value;
  }
  for (std::size_t i = 1; i < tables.size(); ++i) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[i - 1][byte];
      tables[i][byte] = (before >> 8) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

inline constexpr Crc32cTables kCrc32c = make_crc32c_tables();

}  // namespace detail

// Eight bytes a step (slicing by 8, Kounavis and Berry, ISCC 2005): a status document has a
// checksum for each of thousands of endpoints.
inline std::uint32_t crc32c(const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t value = 0xFFFFFFFFU;
  // The tables are constexpr: clang 14's analyzer does not see what is in them.
  // NOLINTBEGIN(clang-analyzer-core.UndefinedBinaryOperatorResult)
  for (; size >= 8; size -= 8, bytes += 8) {
    const std::uint32_t first =
        value ^ (std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 |
                 std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24);
    value = detail::kCrc32c[7][first & 0xFFU] ^ detail::kCrc32c[6][first >> 8 & 0xFFU] ^
            detail::kCrc32c[5][first >> 16 & 0xFFU] ^ detail::kCrc32c[4][first >> 24] ^
            detail::kCrc32c[3][bytes[4]] ^ detail::kCrc32c[2][bytes[5]] ^
            detail::kCrc32c[1][bytes[6]] ^ detail::kCrc32c[0][bytes[7]];
  }
  for (; size != 0; --size, ++bytes) {
    value = (value >> 8) ^ detail::kCrc32c[0][(value ^ *bytes) & 0xFFU];
  }
  // NOLINTEND(clang-analyzer-core.UndefinedBinaryOperatorResult)
  return value ^ 0xFFFFFFFFU;
}

constexpr std::uint64_t mix64(std::uint64_t value) noexcept {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

}  // namespace bluegreen::shm
