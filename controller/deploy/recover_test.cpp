// Unit tests of recover.hpp: a deploy dies at every operation in turn, before or after it took
// effect, and recovery has to bring the world to one of two ends, with users never noticing.
#include "controller/deploy/recover.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

FakeWorld& prepared(FakeWorld& world) {
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 2;
  world.leaves_after_looks = 5;
  return world;
}

std::size_t operations_of_a_deploy(const std::string& image) {
  FakeWorld world;
  const std::size_t before = prepared(world).operations;
  deploy_image(world, image);
  return world.operations - before;
}

// True when the deploy died at that operation.
bool dies(FakeWorld& world, const std::string& image, std::size_t at, bool after) {
  world.crash_at(at, after);
  try {
    deploy_image(world, image);
  } catch (const Crash&) {
    return true;
  }
  return false;
}

void check_settled(FakeWorld& world) {
  CHECK(world.broken.empty());
  REQUIRE(world.traces["d1"].verdict);
  const bool flipped = world.region.route.active == Color::kGreen;
  if (flipped) {
    CHECK(world.serving() == "v2 on green");
    CHECK_FALSE(world.running[0]);
    CHECK(world.traces["d1"].verdict->code == ExitCode::kDone);
  } else {
    CHECK(world.serving() == "v1 on blue");
    CHECK_FALSE(world.running[1]);
    CHECK(world.region.tables[1].count == 0);
    CHECK(world.traces["d1"].verdict->code == ExitCode::kInterrupted);
  }
}

}  // namespace

TEST_CASE("deploy killed at any operation is finished or undone by recovery") {
  const std::size_t count = operations_of_a_deploy("v2");
  REQUIRE(count > 30);
  for (std::size_t at = 0; at < count; ++at) {
    for (const bool after : {false, true}) {
      CAPTURE(at, after);
      FakeWorld world;
      REQUIRE(dies(prepared(world), "v2", at, after));
      auto recovered = recover_all(world);
      REQUIRE(recovered);
      check_settled(world);
      // Once is enough.
      const std::size_t before = world.operations;
      CHECK(recover_all(world)->empty());
      CHECK(world.operations == before);
    }
  }
}

TEST_CASE("failing deploy killed at any operation of its undo is undone by recovery") {
  const std::size_t count = operations_of_a_deploy("sick");
  for (std::size_t at = 0; at < count; ++at) {
    for (const bool after : {false, true}) {
      CAPTURE(at, after);
      FakeWorld world;
      REQUIRE(dies(prepared(world), "sick", at, after));
      REQUIRE(recover_all(world));
      CHECK(world.serving() == "v1 on blue");
      CHECK_FALSE(world.running[1]);
      CHECK(world.broken.empty());
    }
  }
}

TEST_CASE("recovery killed at any operation is itself recovered") {
  const std::size_t count = operations_of_a_deploy("v2");
  for (std::size_t at = 0; at < count; at += 3) {
    FakeWorld world;
    REQUIRE(dies(prepared(world), "v2", at, true));
    for (std::size_t next = 0; next < 60; ++next) {
      world.crash_at(next, next % 2 == 0);
      try {
        if (recover_all(world)->empty()) {
          break;
        }
      } catch (const Crash&) {
      }
    }
    CAPTURE(at);
    world.crash_at(100000, false);
    REQUIRE(recover_all(world));
    check_settled(world);
  }
}

TEST_CASE("flipped deploy whose new color has ended goes back to the old one") {
  FakeWorld world;
  prepared(world);
  std::size_t flip = 0;
  world.before_operation = [&](const std::string& operation) {
    if (operation == "activate green") {
      flip = world.operations;
      world.before_operation = nullptr;
      world.crash_at(0, true);
    }
  };
  CHECK_THROWS_AS(deploy_image(world, "v2"), Crash);
  world.running[1].reset();
  auto recovered = recover_all(world);
  REQUIRE(recovered);
  REQUIRE(recovered->size() == 1);
  CHECK(recovered->front().code == ExitCode::kRolledBack);
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("deploy that is tried again with its id gets no verdict from recovery") {
  FakeWorld world;
  REQUIRE(dies(prepared(world), "v2", 12, true));
  auto recovered = recover_all(world, quick_config(), "d1");
  REQUIRE(recovered);
  CHECK(recovered->empty());
  CHECK_FALSE(world.traces["d1"].verdict);
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
  CHECK(world.serving() == "v2 on green");
  CHECK(recover_all(world)->empty());
}

TEST_CASE("deploy that was interrupted and undone can be tried again with its id") {
  FakeWorld world;
  REQUIRE(dies(prepared(world), "v2", 12, true));
  REQUIRE(recover_all(world));
  REQUIRE(world.traces["d1"].verdict->code == ExitCode::kInterrupted);
  world.traces["d1"].verdict.reset();  // what the foreground does before it asks again
  CHECK(recover_all(world, quick_config(), "d1")->empty());
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
}

TEST_CASE("deploy that died before its first record has moved nothing") {
  FakeWorld world;
  prepared(world);
  (void)world.open("app", "d1");
  auto recovered = recover_all(world);
  REQUIRE(recovered);
  REQUIRE(recovered->size() == 1);
  CHECK(recovered->front().code == ExitCode::kInterrupted);
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("recovery that cannot read the region decides nothing") {
  FakeWorld world;
  REQUIRE(dies(prepared(world), "v2", 12, true));
  world.region_damaged = true;
  auto recovered = recover_all(world);
  REQUIRE_FALSE(recovered);
  CHECK(recovered.error().code == ExitCode::kUsage);
  CHECK_FALSE(world.traces["d1"].verdict);
  CHECK(world.running[0]);
}
