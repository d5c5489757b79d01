// The limits of ABI version 1, and the two colors. A change here is a change of the ABI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bluegreen::shm {

inline constexpr std::uint32_t kAbiVersion = 1;

inline constexpr std::uint32_t kMaxApps = 64;       // applications in a region
inline constexpr std::uint32_t kMaxEndpoints = 32;  // endpoints a color
inline constexpr std::uint32_t kMaxSlots = 128;  // NGINX workers alive at once, old ones included
inline constexpr std::uint32_t kMaxWeight = 10000;  // basis points: 10000 is 100 %
inline constexpr std::uint32_t kMaxEndpointWeight = 65535;

// Sizes of text fields in bytes, the final NUL included.
inline constexpr std::size_t kAppNameSize = 64;
inline constexpr std::size_t kReleaseSize = 128;
inline constexpr std::size_t kDeployIdSize = 64;
inline constexpr std::size_t kImageSize = 256;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "regions are little-endian and mapped as they are");

enum class Color : std::uint8_t { kBlue = 0, kGreen = 1 };

inline constexpr Color kColors[2] = {Color::kBlue, Color::kGreen};

constexpr Color other(Color color) noexcept {
  return color == Color::kBlue ? Color::kGreen : Color::kBlue;
}

constexpr std::size_t index_of(Color color) noexcept {
  return static_cast<std::size_t>(color);
}

constexpr std::string_view name_of(Color color) noexcept {
  return color == Color::kBlue ? "blue" : "green";
}

}  // namespace bluegreen::shm
