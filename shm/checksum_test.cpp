// CRC-32C and the mixer against published values.
#include "shm/checksum.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace bluegreen::shm;

TEST_CASE("crc32c gives the values of RFC 3720 B.4") {
  std::vector<unsigned char> bytes(32, 0);
  CHECK(crc32c("123456789", 9) == 0xE3069283U);
  CHECK(crc32c(bytes.data(), 32) == 0x8A9136AAU);
  std::memset(bytes.data(), 0xFF, 32);
  CHECK(crc32c(bytes.data(), 32) == 0x62A8AB43U);
  for (unsigned char i = 0; i < 32; ++i) {
    bytes[i] = i;
  }
  CHECK(crc32c(bytes.data(), 32) == 0x46DD794EU);
  CHECK(crc32c(bytes.data(), 0) == 0);
}

TEST_CASE("mix64 gives the first outputs of splitmix64") {
  // Its stream for the seed 1234567 (Vigna's reference implementation).
  CHECK(mix64(1234567) == 6457827717110365317ULL);
  CHECK(mix64(1234567 + 0x9E3779B97F4A7C15ULL) == 3203168211198807973ULL);
  static_assert(mix64(0) == 0xE220A8397B1DCDAFULL);
}

TEST_CASE("CRC-32C is the same whatever the size and wherever the bytes lie") {
  unsigned char bytes[80];
  for (std::size_t i = 0; i < sizeof(bytes); ++i) {
    bytes[i] = static_cast<unsigned char>(mix64(i));
  }
  const auto by_bits = [](const unsigned char* data, std::size_t size) {
    std::uint32_t value = 0xFFFFFFFFU;
    for (std::size_t i = 0; i < size; ++i) {
      value ^= data[i];
      for (int bit = 0; bit < 8; ++bit) {
        value = (value >> 1) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
      }
    }
    return value ^ 0xFFFFFFFFU;
  };
  for (std::size_t at = 0; at < 8; ++at) {
    for (std::size_t size = 0; size + at <= sizeof(bytes); ++size) {
      REQUIRE(crc32c(bytes + at, size) == by_bits(bytes + at, size));
    }
  }
}
