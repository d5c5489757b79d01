// Where a client stands in a weighted split when it has a key: the same position for ever, in every
// worker and after every restart, because it is a hash of the key and of nothing that changes.
//
// The application's name is the seed, so that the same users are not the first ones everywhere.
// Eight bytes a step, then the mixer of shm/checksum.hpp, whose high half is scaled to the
// positions: 2^32 is not a multiple of them, which favours none by more than one in 400,000.
//
// Pure; in a worker, on the request path while the word has a weight. Somebody who may choose the
// key can choose the color: it is no secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ngx_module/core/choose.hpp"
#include "shm/checksum.hpp"

namespace bluegreen::core {

namespace detail {

constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15U;  // odd: no bit of a word is lost by it

inline std::uint64_t word_at(const char* bytes, std::size_t size) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size);
  return word;
}

// The last bytes, fewer than eight, as a word: which ones there are tells the size in the seed.
inline std::uint64_t rest_of(const char* bytes, std::size_t size) noexcept {
  if (size >= 4) {
    return word_at(bytes, 4) | word_at(bytes + size - 4, 4) << 32;
  }
  if (size == 0) {
    return 0;
  }
  const auto byte = [bytes](std::size_t i) noexcept {
    return std::uint64_t{static_cast<unsigned char>(bytes[i])};
  };
  return byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
}

inline std::uint64_t hash(std::uint64_t seed, std::string_view text) noexcept {
  std::uint64_t value = seed + text.size() * kStep;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, at += 8) {
    value = (value ^ word_at(at, 8)) * kStep;
    value ^= value >> 32;
  }
  return shm::mix64(value ^ rest_of(at, left));
}

}  // namespace detail

inline std::uint64_t sticky_seed(std::string_view application) noexcept {
  return detail::hash(0, application);
}

inline Position sticky_position(std::uint64_t seed, std::string_view key) noexcept {
  const std::uint64_t high = detail::hash(seed, key) >> 32;
  return static_cast<Position>((high * shm::kMaxWeight) >> 32);
}

}  // namespace bluegreen::core
