// Which color a request goes to: the whole policy, from one route word.
//
//   1. a preview goes to the idle color, or nowhere
//   2. with a weight, the client's position in the split says which color is its own; without one,
//      the active color is
//   3. an own color that is closed is not: the active one is
//   4. where the own color has nothing left to try and the word allows fallback, the other one
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
enum class Reason : std::uint8_t {
  kActive,
  kWeight,
  kPreview,
  kFallback,
  kHold,
  kNobody,
  kMaintenance
};

constexpr std::string_view name_of(Reason reason) noexcept {
  constexpr std::string_view kNames[] = {"active", "weight", "preview",    "fallback",
                                         "hold",   "nobody", "maintenance"};
  return kNames[static_cast<std::size_t>(reason)];
}

// Where a client stands in the split, 0 to kMaxWeight - 1; kUnplaced: with the active color.
using Position = std::uint16_t;
inline constexpr Position kUnplaced = 0xFFFF;

// A set of colors.
using Colors = std::uint8_t;

constexpr Colors color_bit(Color color) noexcept {
  return static_cast<Colors>(1U << shm::index_of(color));
}

// What the choice depends on beside the route.
struct Asker {
  bool preview = false;  // it brought the secret
  Position position = kUnplaced;
  Colors unusable = 0;  // nothing there is left to try for this request
};

struct Choice {
  Color color = Color::kBlue;
  Reason reason = Reason::kNobody;
  constexpr bool found() const noexcept { return reason != Reason::kNobody; }
};

// How many of the kMaxWeight positions are green's. Green has the lowest ones, whichever color is
// active: so neither a rising weight nor the flip at its end moves anybody back.
constexpr std::uint16_t green_share(const Route& route) noexcept {
  return route.active == Color::kGreen ? static_cast<std::uint16_t>(shm::kMaxWeight - route.weight)
                                       : route.weight;
}

constexpr Color own_color(const Route& route, Position position) noexcept {
  if (route.weight == 0 || position == kUnplaced) {
    return route.active;
  }
  return position < green_share(route) ? Color::kGreen : Color::kBlue;
}

constexpr Choice choose(const Route& route, const Asker& asker) noexcept {
  const Color idle = shm::other(route.active);
  if (asker.preview) {
    const bool there = !route.closed(idle) && (asker.unusable & color_bit(idle)) == 0;
    return {idle, there ? Reason::kPreview : Reason::kNobody};
  }
  Color own = own_color(route, asker.position);
  if (route.closed(own)) {
    own = route.active;
  }
  const Color second = shm::other(own);
  if ((asker.unusable & color_bit(own)) != 0 && route.has(shm::kFallback) &&
      !route.closed(second) && (asker.unusable & color_bit(second)) == 0) {
    return {second, Reason::kFallback};
  }
  if (route.closed(own)) {
    return {own, Reason::kNobody};
  }
  return {own, own == route.active ? Reason::kActive : Reason::kWeight};
}

}  // namespace bluegreen::core
