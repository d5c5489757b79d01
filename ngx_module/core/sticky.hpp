// Where a client stands in a weighted split when it has a key: the same position for ever, in every
// worker and after every restart, because it is a hash of the key and of nothing that changes.
//
// The application's name is the seed, so that the same users are not the first ones everywhere.
// FNV-1a over the bytes, then the mixer of shm/checksum.hpp, whose high half is scaled to the
// positions: 2^32 is not a multiple of them, which favours none by more than one in 400,000.
//
// Pure; in a worker, on the request path while the word has a weight. Somebody who may choose the
// key can choose the color: it is no secret.
#pragma once

#include <cstdint>
#include <string_view>

#include "ngx_module/core/choose.hpp"
#include "shm/checksum.hpp"

namespace bluegreen::core {

namespace detail {

constexpr std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  return hash;
}

}  // namespace detail

constexpr std::uint64_t sticky_seed(std::string_view application) noexcept {
  return shm::mix64(detail::fnv1a(0xCBF29CE484222325U, application));
}

constexpr Position sticky_position(std::uint64_t seed, std::string_view key) noexcept {
  const std::uint64_t high = shm::mix64(detail::fnv1a(seed, key)) >> 32;
  return static_cast<Position>((high * shm::kMaxWeight) >> 32);
}

}  // namespace bluegreen::core
