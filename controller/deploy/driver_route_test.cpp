// Unit tests of what a deploy does with the rest of the route word: fallback, a leftover weight,
// and the hold and maintenance that an operator has ordered.
#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

TEST_CASE("fallback is allowed in the soak alone, with one word from the flip to the drain") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  const bool soaks = GENERATE(false, true);
  config.soak = soaks ? 10s : 0s;
  std::vector<std::string> allowed;
  world.before_operation = [&](const std::string& operation) {
    if (world.region.route.has(shm::kFallback) && operation != "journal") {
      allowed.push_back(operation);
    }
  };
  CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  CHECK(allowed == (soaks ? std::vector<std::string>{"close blue"} : std::vector<std::string>{}));
  CHECK_FALSE(world.region.route.has(shm::kFallback));
}

TEST_CASE("fallback ends with a rollback out of the soak") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.soak = 10s;
  world.before_operation = [&](const std::string& operation) {
    world.stop_asked |= operation == "activate green";
  };
  CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kAborted);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.region.route.has(shm::kFallback));
}

TEST_CASE("deploy keeps a hold and maintenance that it finds, and says so") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  REQUIRE(world.hold("app", 10min));
  REQUIRE(world.set_maintenance("app", true));
  const bool fails = GENERATE(false, true);
  if (fails) {
    world.fail_at("healthy", {ExitCode::kNotHealthy, "no", "", ""});
  }
  const Verdict verdict = deploy_image(world, "v2").verdict;
  CHECK((verdict.code == ExitCode::kDone) == !fails);
  const std::string kept =
      "requests are held for 600 s more (`bgctl release` lets them go), maintenance is on "
      "(`bgctl maintenance off` ends it)";
  CHECK(verdict.headline.find("; " + kept) != std::string::npos);
  CHECK(std::any_of(world.events.begin(), world.events.end(),
                    [&](const Event& event) { return event.text == kept; }));
  CHECK(world.hold_left(world.region) > 9min);
  CHECK(world.region.route.has(shm::kMaintenance));
  CHECK(world.serving() == (fails ? "v1 on blue" : "v2 on green"));
}

TEST_CASE("weight that an aborted canary has left is gone before the new release is published") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  (void)world.start(Color::kGreen, {"canary", "canary"});
  (void)world.publish("app", Color::kGreen,
                      {"canary", "canary", "d0", *world.endpoints(Color::kGreen)});
  REQUIRE(world.set_weight("app", 500));
  world.before_operation = [&](const std::string& operation) {
    if (operation == "publish green v2" || operation == "stop green") {
      CHECK(world.region.route.weight == 0);
    }
  };
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
  CHECK(world.region.route.weight == 0);
}
