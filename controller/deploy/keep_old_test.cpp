// Unit tests of keep_old.hpp: the old color is stopped once, and only when nobody has touched it.
#include "controller/deploy/keep_old.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

AppConfig keeping() {
  AppConfig config = quick_config();
  config.keep_old = 10min;
  return config;
}

Leftover left_by_a_deploy(FakeWorld& world) {
  world.serve(Color::kBlue, "v1");
  const Ended ended = deploy_image(world, "v2", keeping());
  REQUIRE(ended.verdict.code == ExitCode::kDone);
  REQUIRE(ended.leftover);
  REQUIRE(world.running[0]);
  return *ended.leftover;
}

}  // namespace

TEST_CASE("old color is stopped after keep_old when nothing has changed") {
  FakeWorld world;
  const Leftover left = left_by_a_deploy(world);
  CHECK(left.keep == 10min);
  auto end = stop_leftover(world, world, world, 7, left, false);
  REQUIRE(end);
  CHECK(*end == LeftoverEnd::kStopped);
  CHECK_FALSE(world.running[0]);
  CHECK(world.region.tables[0].count == 0);
  CHECK(world.serving() == "v2 on green");
  CHECK(*stop_leftover(world, world, world, 7, left, false) == LeftoverEnd::kChanged);
}

TEST_CASE("old color is left alone when it was deployed, switched to or restarted meanwhile") {
  FakeWorld world;
  const Leftover left = left_by_a_deploy(world);
  SECTION("another deploy") {
    deploy_image(world, "v3", keeping(), "d2");
  }
  SECTION("switched back") {
    (void)world.activate("app", Color::kBlue);
  }
  SECTION("switched there and back again") {
    (void)world.activate("app", Color::kBlue);
    (void)world.activate("app", Color::kGreen);
  }
  SECTION("restarted") {
    world.running[0]->identity += 1;
  }
  CHECK(*stop_leftover(world, world, world, 7, left, false) == LeftoverEnd::kChanged);
  CHECK(world.running[0]);
  CHECK(world.broken.empty());
}

TEST_CASE("old color is stopped all the same when the application was held meanwhile") {
  FakeWorld world;
  const Leftover left = left_by_a_deploy(world);
  REQUIRE(world.hold("app", 30s));
  REQUIRE(world.release("app"));
  REQUIRE(world.set_maintenance("app", true));
  SECTION("and is proven empty") {
    CHECK(*stop_leftover(world, world, world, 7, left, false) == LeftoverEnd::kStopped);
    CHECK_FALSE(world.running[0]);
  }
  SECTION("but not with requests on it") {
    world.in_flight[0] = 1;
    CHECK(*stop_leftover(world, world, world, 7, left, false) == LeftoverEnd::kNotDrained);
    CHECK(world.running[0]);
  }
  SECTION("and without proof when it was waited for long enough") {
    world.telemetry_exact = false;
    CHECK(*stop_leftover(world, world, world, 7, left, false) == LeftoverEnd::kNotDrained);
    CHECK(world.running[0]);
    CHECK(*stop_leftover(world, world, world, 7, left, true) == LeftoverEnd::kCut);
    CHECK_FALSE(world.running[0]);
    CHECK(world.region.tables[0].count == 0);
  }
  SECTION("but not when it was opened for a canary") {
    REQUIRE(world.set_weight("app", 100));
    REQUIRE(world.set_weight("app", 0));
    CHECK(*stop_leftover(world, world, world, 7, left, false) == LeftoverEnd::kChanged);
  }
  CHECK(world.broken.empty());
}

TEST_CASE("old color with requests that may not be cut is asked again later") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 1;
  AppConfig config = keeping();
  config.drain_then = AfterDrainTimeout::kWait;
  const Ended ended = deploy_image(world, "v2", config);
  REQUIRE(ended.leftover);
  CHECK(*stop_leftover(world, world, world, 7, *ended.leftover, false) == LeftoverEnd::kNotDrained);
  CHECK(*stop_leftover(world, world, world, 7, *ended.leftover, true) == LeftoverEnd::kNotDrained);
  CHECK(world.running[0]);
  world.in_flight[0] = 0;
  CHECK(*stop_leftover(world, world, world, 7, *ended.leftover, false) == LeftoverEnd::kStopped);
  CHECK(world.broken.empty());
}
