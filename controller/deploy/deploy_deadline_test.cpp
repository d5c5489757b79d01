// Unit tests of deploy_deadline.hpp, and of what the driver and recovery do when it is over.
#include "controller/deploy/deploy_deadline.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

AppConfig within(std::chrono::milliseconds limit) {
  AppConfig config = quick_config();
  config.deploy_within = limit;
  return config;
}

// The clock is `later` once this operation is done.
void takes(FakeWorld& world, const std::string& operation, std::chrono::milliseconds later) {
  world.before_operation = [&world, operation, later](const std::string& now) {
    if (now.rfind(operation, 0) == 0) {
      world.time += later;
      world.before_operation = nullptr;
    }
  };
}

}  // namespace

TEST_CASE("deadline of a deploy counts from its beginning within a boot whatever the clock says") {
  FakeWorld world;
  Facts plan;
  note_beginning(plan, world);
  const AppConfig config = within(10min);
  CHECK(give_up_at(plan, config, world) == world.time + 10min);
  world.time += 4min;
  world.wall_is_off = 5h;
  CHECK(give_up_at(plan, config, world) == world.time + 6min);
  world.wall_is_off = -5h;
  CHECK(give_up_at(plan, config, world) == world.time + 6min);
}

TEST_CASE("deadline of a deploy counts by the wall clock across a boot and never backwards") {
  FakeWorld world;
  Facts plan;
  note_beginning(plan, world);
  const AppConfig config = within(10min);
  world.boot_name = "the next boot";
  world.wall_is_off = 3min;
  CHECK(give_up_at(plan, config, world) == world.time + 7min);
  world.wall_is_off = -1h;
  CHECK(give_up_at(plan, config, world) == world.time + 10min);
  CHECK(give_up_at({}, config, world) == world.time + 10min);
  CHECK(give_up_at({{"begun_wall_ms", "12x"}}, config, world) == world.time + 10min);
}

TEST_CASE("deploy whose time is over before the flip leaves the old color serving") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  takes(world, "healthy green", 11min);
  const auto ended = deploy_image(world, "v2", within(10min));
  CHECK(ended.verdict.code == ExitCode::kNotHealthy);
  CHECK(ended.verdict.reason.find("the deploy was not over within 10m (deploy_within)") !=
        std::string::npos);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.broken.empty());
}

TEST_CASE("step gets no more time than the deploy has left") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = within(30s);
  config.healthy_within = 60s;
  const auto start = world.time;
  const auto ended = deploy_image(world, "sick", config);
  CHECK(ended.verdict.code == ExitCode::kNotHealthy);
  CHECK(ended.verdict.reason ==
        "green was not healthy in time; the deploy was not over within 30s (deploy_within)");
  CHECK(world.time == start + 30s);
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("deploy whose time is over at a step that fails with usage ends with 60") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  takes(world, "publish green v2", 11min);
  const auto ended = deploy_image(world, "v2", within(10min));
  CHECK(ended.verdict.code == ExitCode::kGate);
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("deploy whose time is over in the soak is rolled back") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = within(10min);
  config.soak = 20min;
  const auto start = world.time;
  const auto ended = deploy_image(world, "v2", config);
  CHECK(ended.verdict.code == ExitCode::kRolledBack);
  CHECK(world.time - start >= 10min);
  CHECK(world.time - start < 11min);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.broken.empty());
}

TEST_CASE("first deploy whose time is over in the soak stays: there is nothing to go back to") {
  FakeWorld world;
  AppConfig config = within(10min);
  config.soak = 20min;
  const auto ended = deploy_image(world, "v1", config);
  CHECK(ended.verdict.code == ExitCode::kDone);
  CHECK(world.serving() == "v1 on green");
}

TEST_CASE("deploy whose time is over after the soak goes on to its end") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  takes(world, "stop blue", 11min);
  const auto ended = deploy_image(world, "v2", within(10min));
  CHECK(ended.verdict.code == ExitCode::kDone);
  CHECK(world.serving() == "v2 on green");
  CHECK_FALSE(world.running[0]);
}

TEST_CASE("recovery counts the time on: a soak that a kill has left too long is rolled back") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = within(10min);
  config.soak = 5min;
  world.before_operation = [&world](const std::string&) {
    if (world.region.route.active == Color::kGreen) {
      throw Crash{};
    }
  };
  CHECK_THROWS_AS(deploy_image(world, "v2", config), Crash);
  world.before_operation = nullptr;
  world.time += 3h;
  const auto verdicts = recover_all(world, config);
  REQUIRE(verdicts);
  REQUIRE(verdicts->size() == 1);
  CHECK(verdicts->front().code == ExitCode::kRolledBack);
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("recovery neither repeats a soak that was passed nor undoes it when the time is over") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = within(10min);
  config.soak = 5min;
  world.before_operation = [](const std::string& now) {
    if (now.rfind("stop blue", 0) == 0) {
      throw Crash{};
    }
  };
  CHECK_THROWS_AS(deploy_image(world, "v2", config), Crash);
  world.before_operation = nullptr;
  world.time += 3h;
  const auto before = world.time;
  const auto verdicts = recover_all(world, config);
  REQUIRE(verdicts);
  REQUIRE(verdicts->size() == 1);
  CHECK(verdicts->front().code == ExitCode::kDone);
  CHECK(world.serving() == "v2 on green");
  CHECK(world.time - before < 1min);
}
