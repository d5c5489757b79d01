// The driver with a drain whose time is up: each choice of "then".
// ends with, and that the old color serves through all of them.
#include "controller/deploy/driver.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

TEST_CASE("drain whose time is up ends with 80 and does as the configuration says") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 5;
  AppConfig config = quick_config();
  config.drain_timeout = 3s;
  SECTION("stop") {
    const Ended ended = deploy_image(world, "v2", config);
    CHECK(ended.verdict.code == ExitCode::kDrainForced);
    CHECK(ended.verdict.reason.find("5 requests are still on blue") != std::string::npos);
    CHECK_FALSE(world.running[0]);
    CHECK_FALSE(ended.leftover);
  }
  SECTION("wait, until it has to be over") {
    config.drain_then = AfterDrainTimeout::kWait;
    const Ended ended = deploy_image(world, "v2", config);
    CHECK(ended.verdict.code == ExitCode::kDrainForced);
    CHECK(world.running[0]);
    REQUIRE(ended.leftover);
    CHECK(ended.leftover->only_drained);
    CHECK(world.broken.empty());
  }
  CHECK(world.serving() == "v2 on green");
}

TEST_CASE("drain that waits on behind its time ends with 0 when the last request has ended") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 5;
  AppConfig config = quick_config();
  config.drain_timeout = 3s;
  config.drain_then = AfterDrainTimeout::kWait;
  const auto begin = world.time;
  world.after_look = [&world, begin](Color) {
    if (world.time - begin > 60s) {
      world.in_flight[0] = 0;
    }
  };
  const Ended ended = deploy_image(world, "v2", config);
  CHECK(ended.verdict.code == ExitCode::kDone);
  CHECK_FALSE(world.running[0]);
  CHECK_FALSE(ended.leftover);
  const auto told = [&world](const std::string& text) {
    return std::any_of(world.events.begin(), world.events.end(), [&text](const Event& event) {
      return event.text.find(text) != std::string::npos;
    });
  };
  CHECK(told("blue is still waited for: 5 requests are still on blue"));
}

TEST_CASE("drain tells the count, how long it has waited and what is left, again each second") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 5;
  AppConfig config = quick_config();
  config.drain_timeout = 3s;
  deploy_image(world, "v2", config);
  std::vector<DrainDetails> told;
  for (const Event& event : world.events) {
    if (const auto* drain = std::get_if<DrainDetails>(&event.details)) {
      told.push_back(*drain);
    }
  }
  REQUIRE(told.size() >= 3);
  CHECK(told.front().color == "blue");
  CHECK(told.front().in_flight == 5);
  CHECK(told.front().waited == 0s);
  CHECK(told.front().left == 3s);
  CHECK(told[2].waited >= 2s);
  CHECK(told[2].waited + told[2].left == 3s);
}

TEST_CASE("drain whose time is up puts the old color back where the configuration says so") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 5;
  AppConfig config = quick_config();
  config.drain_timeout = 3s;
  config.drain_then = AfterDrainTimeout::kRollback;
  SECTION("requests are left") {
    const Ended ended = deploy_image(world, "v2", config);
    CHECK(ended.verdict.code == ExitCode::kRolledBack);
    CHECK(ended.verdict.reason.find("5 requests are still on blue after 3.0s") !=
          std::string::npos);
    CHECK(world.serving() == "v1 on blue");
    CHECK(world.running[0]);
    CHECK_FALSE(world.running[1]);
    CHECK_FALSE(world.region.route.closed(Color::kBlue));
    CHECK_FALSE(ended.leftover);
  }
  SECTION("they end in time") {
    world.in_flight[0] = 0;
    CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
    CHECK(world.serving() == "v2 on green");
  }
  SECTION("the old color has ended meanwhile") {
    world.running[0].reset();
    CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kDrainForced);
    CHECK(world.serving() == "v2 on green");
  }
}
