// The unkeyed split: see split.hpp.
#include "ngx_module/core/split.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace bluegreen;

namespace {

int green_of(core::Split& split, std::uint16_t share, int clients) {
  shm::Route route;
  route.weight = share;
  int green = 0;
  for (int i = 0; i < clients; ++i) {
    green += core::own_color(route, split.next(core::green_share(route))) == shm::Color::kGreen;
  }
  return green;
}

}  // namespace

TEST_CASE("Split is exact to within one after any number of clients") {
  const auto share = GENERATE(std::uint16_t{1}, std::uint16_t{100}, std::uint16_t{3333},
                              std::uint16_t{9999}, std::uint16_t{10000});
  core::Split split;
  double green = 0;
  for (int n = 1; n <= 30000; ++n) {
    green += green_of(split, share, 1);
    REQUIRE(std::abs(green - n * (share / 10000.0)) <= 0.5);
  }
}

TEST_CASE("Split of one percent gives 100 of 10,000") {
  core::Split split;
  CHECK(green_of(split, 100, 10000) == 100);
}

TEST_CASE("Split stays exact when the share changes all the time") {
  core::Split split;
  double wanted = 0;
  int green = 0;
  for (std::uint16_t share = 1; share < shm::kMaxWeight; share += 13) {
    green += green_of(split, share, 3);
    wanted += 3 * (share / 10000.0);
    REQUIRE(std::abs(green - wanted) <= 0.51);
  }
}
