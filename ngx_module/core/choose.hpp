// Which color a request goes to: the whole policy, from one route word.
//
// Called by the balancer for each first try and each retry, in a worker, on the request path. Pure:
// it can only say that no color admits the request (kNobody), and the caller answers 503.
#pragma once

#include <cstdint>
#include <string_view>

#include "shm/route_word.hpp"

namespace bluegreen::core {

using shm::Color;
using shm::Route;

// Why a request is where it is, as $bluegreen_reason shows it.
enum class Reason : std::uint8_t { kActive, kWeight, kPreview, kFallback, kHold, kNobody };

constexpr std::string_view name_of(Reason reason) noexcept {
  constexpr std::string_view kNames[] = {"active", "weight", "preview", "fallback", "hold",
                                         "nobody"};
  return kNames[static_cast<std::size_t>(reason)];
}

// What the choice may depend on beside the route.
struct Asker {
  std::uint8_t refused = 0;  // bit of each color that a newer word has closed meanwhile
};

struct Choice {
  Color color = Color::kBlue;
  Reason reason = Reason::kNobody;
  constexpr bool found() const noexcept { return reason != Reason::kNobody; }
};

constexpr std::uint8_t color_bit(Color color) noexcept {
  return static_cast<std::uint8_t>(1U << shm::index_of(color));
}

constexpr Choice choose(const Route& route, const Asker& asker) noexcept {
  if (route.closed(route.active) || (asker.refused & color_bit(route.active)) != 0) {
    return {route.active, Reason::kNobody};
  }
  return {route.active, Reason::kActive};
}

}  // namespace bluegreen::core
