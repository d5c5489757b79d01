// Unit tests of planned_steps.hpp: what is planned is what a deploy then does.
#include "controller/deploy/planned_steps.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;

namespace {

std::vector<PlannedStep> planned(FakeWorld& world, const AppConfig& config) {
  auto trace = world.open("app", "plan");
  World parts = parts_of(world, **trace);
  Deploy deploy{parts, config, *plan_deploy(world, "app", "plan", "v2")};
  return planned_steps(deploy);
}

const PlannedStep& step_of(const std::vector<PlannedStep>& steps, const std::string& name) {
  const auto found = std::find_if(steps.begin(), steps.end(),
                                  [&](const PlannedStep& step) { return step.name == name; });
  REQUIRE(found != steps.end());
  return *found;
}

}  // namespace

TEST_CASE("plan names the steps that the deploy then takes, and changes nothing") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const std::size_t operations = world.operations;
  AppConfig config = quick_config();
  SECTION("without a soak") {}
  SECTION("with a soak") {
    config.soak = std::chrono::seconds(5);
  }
  std::vector<std::string> names;
  for (const PlannedStep& step : planned(world, config)) {
    names.push_back(step.name);
  }
  CHECK(world.operations == operations);
  world.events.clear();
  deploy_image(world, "v2", config);
  std::vector<std::string> taken;
  for (const Event& event : world.events) {
    if (event.state == StepState::kStarted) {
      taken.push_back(event.step);
    }
  }
  CHECK(names == taken);
}

TEST_CASE("plan says what a failure of each step leads to") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.soak = std::chrono::seconds(5);
  const auto steps = planned(world, config);
  CHECK(step_of(steps, "pull").then == "blue serves, ends with 30");
  CHECK(step_of(steps, "healthy").then == "blue serves, green is removed, ends with 50");
  CHECK(step_of(steps, "soak").then == "back to blue, ends with 70");
  CHECK(step_of(steps, "soak").limit == std::chrono::seconds(5));
  CHECK(step_of(steps, "drain").then == "goes on, ends with 80");
  CHECK(step_of(steps, "start").does == "start green from v2");
}
