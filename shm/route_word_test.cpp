// The route word: every field in its bits, every condition of validity, the nearest generation.
#include "shm/route_word.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace bluegreen::shm;

namespace {

constexpr std::uint64_t kId = 0xFEDCBA9876543210;

bool same(const Route& a, const Route& b) {
  return a.active == b.active && a.weight == b.weight && a.flags == b.flags &&
         a.table[0] == b.table[0] && a.table[1] == b.table[1] && a.generation == b.generation;
}

// A word with the right check over any payload, sound or not.
std::uint64_t checked(std::uint64_t payload) {
  return payload | (route_check(payload, kId, 3) << 45);
}

static_assert(route_is_valid(pack_route(Route{}, kId, 0), kId, 0));

}  // namespace

TEST_CASE("Route word carries every route there and back") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    Route route;
    route.active = (random() & 1U) != 0 ? Color::kGreen : Color::kBlue;
    route.weight = static_cast<std::uint16_t>(random() % (kMaxWeight + 1));
    route.flags = static_cast<std::uint8_t>(random() & kKnownFlags);
    route.flags = static_cast<std::uint8_t>(route.flags & ~closed_flag(route.active));
    route.table[0] = static_cast<std::uint8_t>(random() & 1U);
    route.table[1] = static_cast<std::uint8_t>(random() & 1U);
    route.generation = static_cast<std::uint32_t>(random() & kGenerationMask);
    const auto app = static_cast<std::uint32_t>(random() % kMaxApps);
    const std::uint64_t word = pack_route(route, kId, app);
    REQUIRE(route_is_valid(word, kId, app));
    REQUIRE(same(unpack_route(word), route));
  }
}

TEST_CASE("Route word has its fields at the documented bits") {
  const auto payload = [](const Route& route) {
    return pack_route(route, kId, 3) & ((std::uint64_t{1} << 45) - 1);
  };
  Route route;
  CHECK(payload(route) == 0);
  route.active = Color::kGreen;
  CHECK(payload(route) == 1);
  route = Route{};
  route.weight = 1;
  CHECK(payload(route) == 1U << 1);
  route = Route{};
  route.flags = kFallback;
  CHECK(payload(route) == 1U << 15);
  route.flags = kHold;
  CHECK(payload(route) == 1U << 16);
  route.flags = kMaintenance;
  CHECK(payload(route) == 1U << 17);
  route.flags = kClosedGreen;
  CHECK(payload(route) == 1U << 19);
  route.active = Color::kGreen;
  route.flags = kClosedBlue;
  CHECK(payload(route) == (1U << 18 | 1U));
  route = Route{};
  route.table[0] = 1;
  CHECK(payload(route) == 1U << 23);
  route = Route{};
  route.table[1] = 1;
  CHECK(payload(route) == 1U << 24);
  route = Route{};
  route.generation = kGenerationMask;
  CHECK(payload(route) == std::uint64_t{kGenerationMask} << 25);
}

TEST_CASE("Route word of a hole, another region or another application is invalid") {
  const std::uint64_t word = pack_route(Route{}, kId, 3);
  CHECK(route_is_valid(word, kId, 3));
  CHECK_FALSE(route_is_valid(word, kId + 1, 3));
  CHECK_FALSE(route_is_valid(word, kId, 4));
  CHECK_FALSE(route_is_valid(0, kId, 3));
  CHECK_FALSE(route_is_valid(~std::uint64_t{0}, kId, 3));
}

TEST_CASE("Route word with any one bit damaged is invalid") {
  const std::uint64_t word = pack_route(Route{}, kId, 3);
  for (int bit = 0; bit < 64; ++bit) {
    CHECK_FALSE(route_is_valid(word ^ (std::uint64_t{1} << bit), kId, 3));
  }
}

TEST_CASE("Route word that is not sound is invalid whatever its check says") {
  CHECK(route_is_valid(checked(10000ULL << 1), kId, 3));
  CHECK_FALSE(route_is_valid(checked(10001ULL << 1), kId, 3));
  for (int bit = 20; bit < 23; ++bit) {
    CHECK_FALSE(route_is_valid(checked(std::uint64_t{1} << bit), kId, 3));
  }
  CHECK_FALSE(route_is_valid(checked(1ULL << 18), kId, 3));       // blue active and closed
  CHECK_FALSE(route_is_valid(checked(1ULL << 19 | 1U), kId, 3));  // green active and closed
}

TEST_CASE("pack_route gives the invalid word for a route that is not sound") {
  Route heavy;
  heavy.weight = 1U << 14;  // would otherwise set the fallback flag
  CHECK(pack_route(heavy, kId, 3) == 0);
  heavy.weight = kMaxWeight + 1;
  CHECK(pack_route(heavy, kId, 3) == 0);
  Route closed;
  closed.flags = kClosedBlue;
  CHECK(pack_route(closed, kId, 3) == 0);
  Route unknown;
  unknown.flags = 1U << 5;
  CHECK(pack_route(unknown, kId, 3) == 0);
}

TEST_CASE("full_generation is the nearest one that the word agrees with") {
  constexpr std::uint64_t kEra = std::uint64_t{kGenerationMask} + 1;
  const auto in_word = [](std::uint64_t full) {
    return static_cast<std::uint32_t>(full & kGenerationMask);
  };
  for (const std::uint64_t full : {std::uint64_t{1}, kEra - 1, kEra, kEra + 1, 5 * kEra - 1}) {
    CHECK(full_generation(in_word(full), full) == full);
    CHECK(full_generation(in_word(full), full + 1) == full);
    CHECK(full_generation(in_word(full), full - 1) == full);
    CHECK(full_generation(in_word(full), full + 1000) == full);
  }
  CHECK(full_generation(in_word(kEra - 1), 0) == kEra - 1);  // nothing lies before 0
}
