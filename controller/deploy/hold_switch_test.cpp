// Unit tests of hold_switch.hpp over the fake world: the order of its words, what every failure and
// every kill leaves, and that no two colors are open for work at one moment.
#include "controller/deploy/hold_switch.hpp"

#include <catch2/catch.hpp>
#include <utility>

#include "controller/ports/fake_world.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

FakeWorld& prepared(FakeWorld& world) {
  world.serve(Color::kBlue, "v1");
  (void)world.start(Color::kGreen, {"v2", "v2"});
  (void)world.publish("app", Color::kGreen,
                      {"v2", "v2", "by-hand", *world.endpoints(Color::kGreen)});
  world.region.route.weight = 500;
  world.region.route.flags = shm::kFallback | shm::kMaintenance;
  world.log.clear();
  return world;
}

HoldSwitchEnd switch_to_green(FakeWorld& world, std::chrono::milliseconds limit = 30s) {
  HoldSwitchWorld parts{world, world, world, world, 7};
  const auto end = switch_held(parts, "app", Color::kGreen, limit);
  REQUIRE(end);
  return *end;
}

// A world in which a request is on blue and leaves only when somebody says so.
FakeWorld& busy(FakeWorld& world) {
  prepared(world).in_flight[0] = 1;
  return world;
}

bool is_as_before(const FakeWorld& world) {
  return world.region.route.active == Color::kBlue && world.region.route.weight == 500 &&
         world.region.route.flags == (shm::kFallback | shm::kMaintenance);
}

}  // namespace

TEST_CASE("switch with hold stores hold, flip and release, and keeps maintenance") {
  FakeWorld world;
  prepared(world).in_flight[0] = 3;
  world.leaves_after_looks = 5;
  shm::Route held;
  world.before_operation = [&](const std::string& operation) {
    if (operation == "flip to green") {
      CHECK(world.region.route.weight == 0);
      CHECK(world.region.route.flags == (shm::kHold | shm::kMaintenance));
    }
    if (operation == "release") {
      held = world.region.route;
    }
  };
  const HoldSwitchEnd end = switch_to_green(world);
  CHECK(end.code == ExitCode::kDone);
  CHECK(end.reason.empty());
  CHECK(end.generation == world.region.generation);
  CHECK(world.log == std::vector<std::string>{"hold", "flip to green", "release"});
  CHECK(held.active == Color::kGreen);
  CHECK(held.weight == 0);
  CHECK(held.flags == (shm::kHold | shm::kMaintenance | shm::kClosedBlue));
  CHECK(world.region.route.flags == (shm::kMaintenance | shm::kClosedBlue));
  CHECK(world.serving() == "v2 on green");
  CHECK(world.broken.empty());
}

TEST_CASE("switch with hold never flips while a request is on the old color") {
  FakeWorld world;
  busy(world).leaves_after_looks = 40;
  world.before_operation = [&](const std::string& operation) {
    if (operation == "flip to green") {
      CHECK(world.in_flight[0] == 0);
    }
  };
  CHECK(switch_to_green(world).code == ExitCode::kDone);
}

TEST_CASE(
    "switch with hold never flips while a request is on the new color, by weight or fallback") {
  FakeWorld world;
  prepared(world).in_flight[1] = 1;
  SECTION("which ends") {
    world.leaves_after_looks = 40;
    world.before_operation = [&](const std::string& operation) {
      if (operation == "flip to green") {
        CHECK(world.in_flight[1] == 0);
      }
    };
    CHECK(switch_to_green(world).code == ExitCode::kDone);
  }
  SECTION("which does not end in time") {
    const HoldSwitchEnd end = switch_to_green(world, 2s);
    CHECK(end.code == ExitCode::kGate);
    CHECK(end.reason == "1 request still in flight on green when the time was up");
    CHECK(world.log == std::vector<std::string>{"hold", "go back"});
    CHECK(is_as_before(world));
  }
  SECTION("which leaves it for the old one between two looks") {
    world.after_look = [&](Color) {
      if (world.region.route.has(shm::kHold)) {
        world.in_flight[0] += std::exchange(world.in_flight[1], 0);
      }
    };
    const HoldSwitchEnd end = switch_to_green(world, 2s);
    CHECK(end.reason == "1 request still in flight on blue when the time was up");
    CHECK(world.log == std::vector<std::string>{"hold", "go back"});
  }
}

TEST_CASE("switch with hold that cannot drain goes back as it was and ends with 60") {
  FakeWorld world;
  busy(world);
  const auto before = world.time;
  const HoldSwitchEnd end = switch_to_green(world, 2s);
  CHECK(end.code == ExitCode::kGate);
  CHECK(end.reason == "1 request still in flight on blue when the time was up");
  CHECK(world.log == std::vector<std::string>{"hold", "go back"});
  CHECK(is_as_before(world));
  CHECK(world.time - before >= 2s);
  CHECK(world.time - before < 2s + 10ms);
}

TEST_CASE("switch with hold that finds the old color in use behind the flip goes back") {
  FakeWorld world;
  prepared(world);
  world.before_operation = [&](const std::string& operation) {
    world.in_flight[0] += operation == "flip to green" ? 1 : 0;
  };
  CHECK(switch_to_green(world, 1s).code == ExitCode::kGate);
  CHECK(is_as_before(world));
  CHECK_FALSE(world.region.route.closed(Color::kBlue));
}

TEST_CASE("switch with hold holds nobody when nothing could be proven") {
  FakeWorld world;
  prepared(world);
  SECTION("no NGINX") {
    world.nginx_runs = false;
  }
  SECTION("a worker without a slot") {
    world.telemetry_exact = false;
  }
  const auto before = world.time;
  const HoldSwitchEnd end = switch_to_green(world);
  CHECK(end.code == ExitCode::kGate);
  CHECK(end.reason.find("; nothing was held") != std::string::npos);
  CHECK(world.log.empty());
  CHECK(is_as_before(world));
  CHECK(world.time - before < 3s);
}

TEST_CASE("switch with hold whose time is over behind the flip does not believe it") {
  FakeWorld world;
  prepared(world);
  // bgctl is stopped in the middle of the store, until no worker minds the hold any more.
  const auto stopped = GENERATE(1h, 0h);
  world.before_operation = [&](const std::string& operation) {
    if (operation == "flip to green") {
      world.time += stopped;
    }
  };
  const HoldSwitchEnd end = switch_to_green(world);
  CHECK((end.code == ExitCode::kDone) == (stopped == 0h));
  CHECK((world.region.route.active == Color::kGreen) == (stopped == 0h));
}

TEST_CASE("switch with hold that is stopped on request goes back and ends with 95") {
  FakeWorld world;
  busy(world);
  world.before_operation = [&](const std::string&) { world.stop_asked = true; };
  const HoldSwitchEnd end = switch_to_green(world);
  CHECK(end.code == ExitCode::kAborted);
  CHECK(is_as_before(world));
}

TEST_CASE("switch with hold keeps somebody else's hold when it goes back, and ends it when done") {
  FakeWorld world;
  busy(world);
  REQUIRE(world.hold("app", 10min));
  CHECK(switch_to_green(world, 1s).code == ExitCode::kGate);
  CHECK(world.region.route.has(shm::kHold));
  CHECK(world.hold_left(world.region) > 9min);
  world.in_flight[0] = 0;
  CHECK(switch_to_green(world, 1s).code == ExitCode::kDone);
  CHECK_FALSE(world.region.route.has(shm::kHold));
}

TEST_CASE("switch with hold whose stores fail leaves the old color, or says what it left") {
  FakeWorld world;
  prepared(world);
  const Error broken{ExitCode::kUsage, "disk broken", "", ""};
  SECTION("hold") {
    world.fail_at("hold", broken);
    CHECK(switch_to_green(world).code == ExitCode::kGate);
    CHECK(is_as_before(world));
  }
  SECTION("flip") {
    world.fail_at("flip", broken);
    const HoldSwitchEnd end = switch_to_green(world);
    CHECK(end.code == ExitCode::kGate);
    CHECK(end.reason == "disk broken");
    CHECK(is_as_before(world));
  }
  SECTION("flip and back") {
    world.fail_at("flip", broken);
    world.fail_at("go back", broken);
    const HoldSwitchEnd end = switch_to_green(world);
    CHECK(end.code == ExitCode::kRollbackFailed);
    CHECK(end.reason == "disk broken; and the route could not be put back: disk broken");
    CHECK(world.serving() == "v1 on blue");
  }
  SECTION("release") {
    world.fail_at("release", broken);
    const HoldSwitchEnd end = switch_to_green(world);
    CHECK(end.code == ExitCode::kRollbackFailed);
    CHECK(world.serving() == "v2 on green");
  }
  CHECK(world.broken.empty());
}

TEST_CASE("switch with hold that is killed leaves at worst a hold that ends by its deadline") {
  for (std::size_t at = 0; at < 3; ++at) {
    for (const bool after : {false, true}) {
      CAPTURE(at, after);
      FakeWorld world;
      prepared(world).crash_at(at, after);
      CHECK_THROWS_AS(switch_to_green(world, 5s), Crash);
      const bool flipped = at == 2 || (at == 1 && after);
      CHECK(world.serving() == (flipped ? "v2 on green" : "v1 on blue"));
      CHECK_FALSE(world.region.route.closed(world.region.route.active));
      world.time += 5s + kHoldMargin;
      CHECK(world.hold_left(world.region) == 0s);
      // The next change finds it; nobody has to repair anything else.
      REQUIRE(world.release("app"));
      CHECK_FALSE(world.region.route.has(shm::kHold));
      CHECK(world.serving() == (flipped ? "v2 on green" : "v1 on blue"));
      CHECK(world.broken.empty());
    }
  }
}
