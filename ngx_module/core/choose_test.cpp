// The choice of a color from a route: see choose.hpp.
#include "ngx_module/core/choose.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen;

TEST_CASE("Choice is the active color, the other one closed or not") {
  shm::Route route;
  route.active = GENERATE(shm::Color::kBlue, shm::Color::kGreen);
  route.flags = GENERATE(false, true) ? shm::closed_flag(shm::other(route.active)) : 0;
  const core::Choice choice = core::choose(route, {});
  CHECK(choice.found());
  CHECK(choice.color == route.active);
  CHECK(core::name_of(choice.reason) == "active");
}

TEST_CASE("Choice is nobody when the active color is closed") {
  shm::Route route;
  route.flags = shm::kClosedBlue;
  CHECK_FALSE(core::choose(route, {}).found());
}

TEST_CASE("Choice is nobody when a newer word has refused the active color") {
  const shm::Route route;
  CHECK_FALSE(core::choose(route, {core::color_bit(shm::Color::kBlue)}).found());
  CHECK(core::choose(route, {core::color_bit(shm::Color::kGreen)}).found());
}
