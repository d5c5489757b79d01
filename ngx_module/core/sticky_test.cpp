// A key's position in the split: see sticky.hpp.
#include "ngx_module/core/sticky.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

using namespace bluegreen;

namespace {

constexpr int kKeys = 100000;

// Users as sites name them: a counter, an address, a session's hex digits.
std::string key_of(int i, int kind) {
  if (kind == 0) {
    return std::to_string(i);
  }
  if (kind == 1) {
    return "10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) + "." +
           std::to_string(i & 255);
  }
  char hex[40];
  std::snprintf(hex, sizeof(hex), "%016llx",
                static_cast<unsigned long long>(shm::mix64(static_cast<std::uint64_t>(i))));
  return hex;
}

std::vector<core::Position> positions(std::string_view app, int kind) {
  std::vector<core::Position> out;
  const std::uint64_t seed = core::sticky_seed(app);
  for (int i = 0; i < kKeys; ++i) {
    out.push_back(core::sticky_position(seed, key_of(i, kind)));
  }
  return out;
}

double share_below(const std::vector<core::Position>& all, core::Position limit) {
  double below = 0;
  for (const core::Position position : all) {
    below += position < limit ? 1 : 0;
  }
  return below / kKeys;
}

}  // namespace

TEST_CASE("Sticky split of one percent takes 1 % of 100,000 keys, to within 0.1 %") {
  const int kind = GENERATE(0, 1, 2);
  const auto all = positions("app", kind);
  const double share = share_below(all, 100);
  WARN("1 % of keys of kind " << kind << ": " << 100 * share << " %");
  CHECK(std::abs(share - 0.01) <= 0.001);
  for (const int step : {5, 25, 50, 75, 99}) {
    CHECK(std::abs(share_below(all, static_cast<core::Position>(step * 100)) - step / 100.0) <=
          0.005);
  }
}

TEST_CASE(
    "Sticky split moves no key back as the weight rises from 0 to 100 % and the color flips") {
  const auto all = positions("app", 0);
  int back = 0;
  for (const core::Position position : all) {
    bool moved = false;
    shm::Route route;
    for (std::uint16_t weight = 0; weight <= shm::kMaxWeight; weight += 100) {
      route.weight = weight;
      const bool green = core::own_color(route, position) == shm::Color::kGreen;
      back += moved && !green ? 1 : 0;
      moved = green;
    }
    route.active = shm::Color::kGreen;
    route.weight = 0;
    back += core::own_color(route, position) == shm::Color::kGreen ? 0 : 1;
  }
  CHECK(back == 0);
}

TEST_CASE("Sticky split does not pick the same users for two applications") {
  const auto one = positions("shop", 0);
  const auto other = positions("blog", 0);
  int both = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    both += one[i] < 1000 && other[i] < 1000 ? 1 : 0;
  }
  CHECK(both > kKeys / 100 - 150);
  CHECK(both < kKeys / 100 + 150);
}

TEST_CASE("Sticky position of a key is the same for ever") {
  // Pinned: another value would move users at an upgrade of the module.
  CHECK(core::sticky_position(core::sticky_seed("app"), "user-1") == 4933);
  CHECK(core::sticky_position(core::sticky_seed("app"), "") == 9051);
}

TEST_CASE("Sticky positions of keys of every length differ in each of their bytes") {
  const std::uint64_t seed = core::sticky_seed("app");
  for (std::size_t length = 1; length <= 40; ++length) {
    const std::string key(length, 'k');
    int same = 0;
    for (std::size_t at = 0; at < length; ++at) {
      std::string changed = key;
      changed[at] = 'K';
      same += core::sticky_position(seed, changed) == core::sticky_position(seed, key) ? 1 : 0;
    }
    CHECK(same == 0);
    CHECK(core::sticky_position(seed, key + "k") != core::sticky_position(seed, key));
  }
}
