// `bgctl contract` over the fake world: when it is allowed, what it leaves, and which rollbacks it
// bars.
#include "controller/deploy/contract.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

AppConfig with_contract() {
  AppConfig config = quick_config();
  config.hooks.contract = MigrationConfig{{"/h/contract"}, {}, 1min};
  return config;
}

Verdict run_contract(FakeWorld& world, const std::string& id = "c1") {
  return run_plan(world, with_contract(), *plan_contract(world, "app", id)).verdict;
}

Result<void> rollback_allowed(FakeWorld& world, const Labels& remembered = {}) {
  auto plan = plan_rollback(world, world, "app", "r", remembered);
  REQUIRE(plan);
  return may_roll_back(world.contract, *plan, *world.list("app"));
}

FakeWorld two_deploys() {
  FakeWorld world;
  deploy_image(world, "v1", quick_config(), "d1");
  deploy_image(world, "v2", quick_config(), "d2");
  world.log.clear();
  return world;
}

}  // namespace

TEST_CASE("contract marks, runs its command and marks again, and moves nothing") {
  FakeWorld world = two_deploys();
  const std::uint64_t generation = world.region.generation;
  const Verdict verdict = run_contract(world);
  CHECK(verdict.code == ExitCode::kDone);
  CHECK(verdict.headline ==
        "contract of app is done: blue serves v2, and no rollback goes to a release before it any "
        "more");
  CHECK(world.log == std::vector<std::string>{"mark contract", "hook /h/contract",
                                              "mark contract done", "verdict"});
  CHECK(world.region.generation == generation);
  CHECK(world.serving() == "v2 on blue");
}

TEST_CASE("contract is refused while the old release runs or can be reached") {
  FakeWorld world;
  AppConfig keeping = quick_config();
  keeping.keep_old = 10min;
  deploy_image(world, "v1", keeping, "d1");
  deploy_image(world, "v2", keeping, "d2");
  const Verdict running = run_contract(world);
  CHECK(running.code == ExitCode::kPreflight);
  CHECK(running.reason == "green still runs v1, which the contract would break");
  CHECK_FALSE(world.contract);
  world.running[shm::index_of(Color::kGreen)].reset();
  CHECK(run_contract(world, "c2").code == ExitCode::kPreflight);
  CHECK(world.hook_runs.empty());
}

TEST_CASE("rollback past a contract is refused, and one to a release after it is not") {
  FakeWorld world = two_deploys();
  CHECK(rollback_allowed(world));
  run_contract(world);
  const auto refused = rollback_allowed(world);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::kPreflight);
  CHECK(refused.error().what.find("a rollback to v1 is refused: the contract of ") == 0);
  CHECK(deploy_image(world, "exits", quick_config(), "d3").verdict.code == ExitCode::kNotHealthy);
  CHECK_FALSE(rollback_allowed(world));
  deploy_image(world, "v4", quick_config(), "d4");
  CHECK(rollback_allowed(world));  // to v2, which served when the contract was made
  // The same old image, deployed on purpose after it: whoever did that knows.
  deploy_image(world, "v1", quick_config(), "d5");
  deploy_image(world, "v6", quick_config(), "d6");
  CHECK(rollback_allowed(world));
}

TEST_CASE("where the region remembers nothing, the history's times decide") {
  FakeWorld world = two_deploys();
  run_contract(world);
  world.region.tables[shm::index_of(Color::kGreen)] = shm::unpublished_table();
  CHECK_FALSE(rollback_allowed(world, {"v1", "v1", "d1"}));
  CHECK(rollback_allowed(world, {"v2", "v2", "d2"}));
  // No trace of it is left: nobody can say that it came after.
  CHECK_FALSE(rollback_allowed(world, {"v0", "v0", "d0"}));
}

TEST_CASE("contract that fails, or is killed, bars the way back too") {
  FakeWorld world = two_deploys();
  world.fail_at("hook /h/contract", {ExitCode::kGate, "it exited with 1", {}, {}});
  const Verdict verdict = run_contract(world);
  CHECK(verdict.code == ExitCode::kMigration);
  CHECK(verdict.headline == "contract of app failed at contract: blue serves v2");
  auto refused = rollback_allowed(world);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("did not end well") != std::string::npos);
  CHECK(run_contract(world, "c2").code == ExitCode::kDone);

  FakeWorld killed = two_deploys();
  killed.before_operation = [](const std::string& operation) {
    if (operation == "hook /h/contract") {
      throw Crash{};
    }
  };
  CHECK_THROWS_AS(run_contract(killed), Crash);
  killed.before_operation = nullptr;
  auto recovered = recover_all(killed, with_contract());
  REQUIRE(recovered);
  REQUIRE(recovered->size() == 1);
  CHECK(recovered->front().code == ExitCode::kInterrupted);
  CHECK(recovered->front().headline == "contract of app was interrupted: blue serves v2");
  CHECK(killed.hook_runs.empty());
  CHECK(killed.serving() == "v2 on blue");
  CHECK_FALSE(rollback_allowed(killed));
}
