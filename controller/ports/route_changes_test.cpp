// Tests of the changes of a route (route_changes.cpp), over the fake world: what each one sets,
// clears and leaves, and that a hold goes on through all of them until its time is over.
#include <catch2/catch.hpp>
#include <functional>

#include "controller/ports/fake_world.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

// A publication of green with nothing in it.
void publish_green(FakeWorld& world) {
  REQUIRE(world.publish("app", Color::kGreen, {"v2", "v2", "d1", {}}));
}

}  // namespace

TEST_CASE("activate clears weight and fallback, opens its color, keeps maintenance") {
  FakeWorld world;
  world.region.route.weight = 500;
  world.region.route.flags = shm::kFallback | shm::kMaintenance | shm::kClosedGreen;
  REQUIRE(world.activate("app", Color::kGreen));
  CHECK(world.region.route.active == Color::kGreen);
  CHECK(world.region.route.weight == 0);
  CHECK(world.region.route.flags == shm::kMaintenance);
  REQUIRE(world.activate("app", Color::kBlue, true));
  CHECK(world.region.route.flags == (shm::kFallback | shm::kMaintenance));
}

TEST_CASE("activate of the active color ends a canary, and is nothing when there is none") {
  FakeWorld world;
  world.region.route.weight = 500;
  CHECK(world.activate("app", Color::kBlue) == 2);
  CHECK(world.activate("app", Color::kBlue) == 2);
  CHECK(world.region.route.weight == 0);
}

TEST_CASE("close clears what an aborted canary and a killed soak have left") {
  FakeWorld world;
  world.region.route.weight = 500;
  world.region.route.flags = shm::kFallback | shm::kMaintenance;
  REQUIRE(world.close("app", Color::kGreen));
  CHECK(world.region.route.weight == 0);
  CHECK(world.region.route.flags == (shm::kClosedGreen | shm::kMaintenance));
  CHECK_FALSE(world.close("app", Color::kBlue));
}

TEST_CASE("weight opens the color that gets a share, and is refused above 10000") {
  FakeWorld world;
  REQUIRE(world.close("app", Color::kGreen));
  REQUIRE(world.set_weight("app", 0));
  CHECK(world.region.route.closed(Color::kGreen));
  REQUIRE(world.set_weight("app", 10'000));
  CHECK(world.region.route.weight == 10'000);
  CHECK_FALSE(world.region.route.closed(Color::kGreen));
  const auto refused = world.set_weight("app", 10'001);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what ==
        "application app: weight: expected 0 to 10000 basis points, found 10001");
  CHECK(world.region.route.weight == 10'000);
}

TEST_CASE("hold counts for its time, again prolongs it and never shortens it") {
  FakeWorld world;
  REQUIRE(world.hold("app", 30s));
  CHECK(world.hold_left(world.region) == 30s);
  world.time += 10s;
  CHECK(world.hold_left(world.region) == 20s);
  REQUIRE(world.hold("app", 60s));
  CHECK(world.hold_left(world.region) == 60s);
  const auto generation = world.region.generation;
  CHECK(world.hold("app", 5s) == generation);
  CHECK(world.hold_left(world.region) == 60s);
  REQUIRE(world.release("app"));
  CHECK(world.hold_left(world.region) == 0s);
  CHECK_FALSE(world.region.route.has(shm::kHold));
  CHECK(world.release("app") == generation + 1);
}

TEST_CASE("hold goes on through every change until its time is over, then its flag is dropped") {
  const std::function<void(FakeWorld&)> changes[] = {
      [](FakeWorld& world) { REQUIRE(world.activate("app", Color::kGreen)); },
      [](FakeWorld& world) { REQUIRE(world.close("app", Color::kGreen)); },
      [](FakeWorld& world) { REQUIRE(world.set_weight("app", 100)); },
      [](FakeWorld& world) { REQUIRE(world.activate("app", Color::kBlue, true)); },
      [](FakeWorld& world) { REQUIRE(world.set_maintenance("app", true)); },
      [](FakeWorld& world) { publish_green(world); },
  };
  for (const auto& change : changes) {
    FakeWorld world;
    REQUIRE(world.hold("app", 30s));
    world.time += 1s;
    change(world);
    CHECK(world.region.generation == 3);
    CHECK(world.hold_left(world.region) == 29s);
    world.time += 30s;
    CHECK(world.hold_left(world.region) == 0s);
    REQUIRE(world.activate("app", shm::other(world.region.route.active)));
    CHECK_FALSE(world.region.route.has(shm::kHold));
  }
}
