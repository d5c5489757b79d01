// The choice of a color from a route: see choose.hpp.
#include "ngx_module/core/choose.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen;
using core::Asker;
using core::color_bit;
using core::Reason;
using shm::Color;

namespace {

shm::Route route_to(Color active, std::uint16_t weight = 0, unsigned flags = 0) {
  shm::Route route;
  route.active = active;
  route.weight = weight;
  route.flags = static_cast<std::uint8_t>(flags);
  return route;
}

void check(const core::Choice& choice, Color color, Reason reason) {
  CHECK(choice.color == color);
  CHECK(core::name_of(choice.reason) == core::name_of(reason));
}

Asker at(core::Position position) {
  return {false, position, 0};
}

Asker without(core::Colors colors, core::Position position = core::kUnplaced) {
  return {false, position, colors};
}

constexpr Asker kPreviewer{true, core::kUnplaced, 0};

}  // namespace

TEST_CASE("Choice is the active color, the other one closed or not") {
  const Color active = GENERATE(Color::kBlue, Color::kGreen);
  const unsigned flags = GENERATE(false, true) ? shm::closed_flag(shm::other(active)) : 0U;
  check(core::choose(route_to(active, 0, flags), {}), active, Reason::kActive);
}

TEST_CASE("Choice is nobody when the active color is closed") {
  CHECK_FALSE(core::choose(route_to(Color::kBlue, 0, shm::kClosedBlue), {}).found());
}

TEST_CASE("Choice by weight gives the other color exactly its share of the positions") {
  const Color active = GENERATE(Color::kBlue, Color::kGreen);
  const auto weight = GENERATE(std::uint16_t{1}, std::uint16_t{2500}, std::uint16_t{10000});
  int moved = 0;
  for (core::Position position = 0; position < shm::kMaxWeight; ++position) {
    const core::Choice choice = core::choose(route_to(active, weight), at(position));
    moved += choice.color != active ? 1 : 0;
    CHECK((choice.reason == Reason::kWeight) == (choice.color != active));
  }
  CHECK(moved == weight);
}

TEST_CASE("Choice by weight moves nobody back, as the weight rises and at the flip that follows") {
  const Color active = GENERATE(Color::kBlue, Color::kGreen);
  const Color fresh = shm::other(active);
  for (core::Position position = 0; position < shm::kMaxWeight; position += 7) {
    bool moved = false;
    for (std::uint16_t weight = 1; weight <= shm::kMaxWeight; weight += 101) {
      const bool there = core::choose(route_to(active, weight), at(position)).color == fresh;
      CHECK((there || !moved));
      moved = there;
    }
    CHECK(core::choose(route_to(fresh), at(position)).color == fresh);
  }
}

TEST_CASE("Choice by weight is the same when the two colors change places and the shares stay") {
  for (core::Position position = 0; position < shm::kMaxWeight; ++position) {
    CHECK(core::choose(route_to(Color::kBlue, 3000), at(position)).color ==
          core::choose(route_to(Color::kGreen, 7000), at(position)).color);
  }
}

TEST_CASE("Choice by weight is the active color while the other is closed, or without a position") {
  const auto closed = route_to(Color::kBlue, 10000, shm::kClosedGreen);
  check(core::choose(closed, at(0)), Color::kBlue, Reason::kActive);
  check(core::choose(route_to(Color::kBlue, 10000), {}), Color::kBlue, Reason::kActive);
}

TEST_CASE("Preview goes to the idle color, whatever the weight and other flags say") {
  const Color active = GENERATE(Color::kBlue, Color::kGreen);
  const unsigned flags = GENERATE(0U, 0U + shm::kFallback, 0U + shm::kHold, 0U + shm::kMaintenance);
  const auto weight = GENERATE(std::uint16_t{0}, std::uint16_t{10000});
  check(core::choose(route_to(active, weight, flags), kPreviewer), shm::other(active),
        Reason::kPreview);
}

TEST_CASE("Preview is nobody, and never falls back, when the idle color is closed or unusable") {
  const auto closed = route_to(Color::kBlue, 0, shm::kClosedGreen | shm::kFallback);
  CHECK_FALSE(core::choose(closed, kPreviewer).found());
  const Asker previewer{true, core::kUnplaced, color_bit(Color::kGreen)};
  CHECK_FALSE(core::choose(route_to(Color::kBlue, 0, shm::kFallback), previewer).found());
}

TEST_CASE("Fallback goes to the other color when the word allows it and that one is open") {
  const Color active = GENERATE(Color::kBlue, Color::kGreen);
  const Asker asker = without(color_bit(active));
  check(core::choose(route_to(active, 0, shm::kFallback), asker), shm::other(active),
        Reason::kFallback);
  check(core::choose(route_to(active), asker), active, Reason::kActive);
  const unsigned closed = shm::kFallback | shm::closed_flag(shm::other(active));
  check(core::choose(route_to(active, 0, closed), asker), active, Reason::kActive);
}

TEST_CASE("Fallback of a weighted request goes back to the active color") {
  check(core::choose(route_to(Color::kBlue, 100, shm::kFallback),
                     without(color_bit(Color::kGreen), 0)),
        Color::kBlue, Reason::kFallback);
}

TEST_CASE("Fallback ends where it began when neither color has anything left") {
  check(core::choose(route_to(Color::kBlue, 0, shm::kFallback), without(3)), Color::kBlue,
        Reason::kActive);
}
