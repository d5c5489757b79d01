// What the unit tests of this folder share: a configuration, and a deploy over the fake world.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "controller/deploy/contract.hpp"
#include "controller/deploy/driver.hpp"
#include "controller/deploy/recover.hpp"
#include "controller/deploy/steps/hooks.hpp"
#include "controller/ports/fake_world.hpp"

namespace bluegreen {

inline AppConfig quick_config() {
  AppConfig config;
  config.name = "app";
  config.keep_old = std::chrono::milliseconds(0);
  return config;
}

struct Ended {
  Verdict verdict;
  std::optional<Leftover> leftover;
};

inline World parts_of(FakeWorld& world, TracePort& trace) {
  return {.control = world,
          .telemetry = world,
          .runtime = world,
          .clock = world,
          .hooks = world,
          .trace = trace,
          .events = world,
          .control_id = 7,
          .orders = &world,
          .smoke = &world};
}

inline Ended run_plan(FakeWorld& world, const AppConfig& config, Plan plan) {
  auto trace = world.open("app", plan.id);
  World parts = parts_of(world, **trace);
  Deploy deploy{.world = parts, .config = config, .plan = std::move(plan)};
  Ended ended;
  ended.verdict = Driver(deploy).run();
  run_on_failure(deploy, ended.verdict);
  ended.leftover = deploy.leftover;
  return ended;
}

inline Ended deploy_image(FakeWorld& world, const std::string& image,
                          const AppConfig& config = quick_config(), const std::string& id = "d1") {
  return run_plan(world, config, *plan_deploy(world, "app", id, image));
}

inline Result<std::vector<Verdict>> recover_all(FakeWorld& world,
                                                const AppConfig& config = quick_config(),
                                                const std::string& own = {}) {
  RecoveryWorld parts{.control = world,
                      .telemetry = world,
                      .runtime = world,
                      .clock = world,
                      .hooks = world,
                      .traces = world,
                      .events = world,
                      .control_id = 7};
  return recover(parts, config, own);
}

inline std::size_t position(const std::vector<std::string>& log, const std::string& entry) {
  return static_cast<std::size_t>(std::find(log.begin(), log.end(), entry) - log.begin());
}

}  // namespace bluegreen
