// Migration and hooks in a deploy over the fake world: when they run, what they are told, and what
// their failure ends with.
#include "controller/deploy/steps/hooks.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

AppConfig config_with_hooks() {
  AppConfig config = quick_config();
  config.hooks.migrate = MigrationConfig{{"/h/migrate", "up"}, {}, 1min};
  config.hooks.pre_flip = {{{"/h/pre"}, 1s}, {{"/h/pre2"}, 1s}};
  config.hooks.post_flip = {{{"/h/post"}, 1s}};
  config.hooks.post_stop = {{{"/h/stopped"}, 1s}};
  config.hooks.on_failure = {{{"/h/failed"}, 1s}, {{"/h/failed2"}, 1s}};
  return config;
}

std::string told(const HookRun& hook, const std::string& name) {
  for (const std::string& entry : hook.environment) {
    if (entry.rfind(name + "=", 0) == 0) {
      return entry.substr(name.size() + 1);
    }
  }
  return "(not told)";
}

Ended deploy_in(FakeWorld& world, const AppConfig& config) {
  return deploy_image(world, "v2", config);
}

}  // namespace

TEST_CASE("migration and hooks run at their places") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  CHECK(deploy_in(world, config_with_hooks()).verdict.code == ExitCode::kDone);
  const std::vector<std::string> expected = {"preflight",
                                             "pull v2",
                                             "hook /h/migrate",
                                             "start green v2",
                                             "healthy green",
                                             "publish green v2",
                                             "hook /h/pre",
                                             "hook /h/pre2",
                                             "activate green",
                                             "hook /h/post",
                                             "close blue",
                                             "stop blue",
                                             "publish blue v1 empty",
                                             "close blue",
                                             "hook /h/stopped",
                                             "mark v2",
                                             "verdict"};
  CHECK(world.log == expected);
}

TEST_CASE("a hook is told what is deployed and where") {
  FakeWorld world;
  world.serve(Color::kBlue, "repo/app:v1");
  deploy_image(world, "repo/app:v2", config_with_hooks());
  REQUIRE(world.hook_runs.size() == 5);
  const HookRun& migrate = world.hook_runs[0];
  CHECK(migrate.command == std::vector<std::string>{"/h/migrate", "up"});
  CHECK(migrate.timeout == 1min);
  CHECK(told(migrate, "BLUEGREEN_APP") == "app");
  CHECK(told(migrate, "BLUEGREEN_DEPLOY_ID") == "d1");
  CHECK(told(migrate, "BLUEGREEN_COLOR") == "green");
  CHECK(told(migrate, "BLUEGREEN_OLD_COLOR") == "blue");
  CHECK(told(migrate, "BLUEGREEN_IMAGE") == "repo/app:v2");
  CHECK(told(migrate, "BLUEGREEN_RELEASE") == "v2");
  CHECK(told(migrate, "BLUEGREEN_OLD_RELEASE") == "repo/app:v1");
  CHECK(told(migrate, "BLUEGREEN_OLD_IMAGE") == "repo/app:v1");
  CHECK(told(migrate, "BLUEGREEN_STEP") == "migrate");
  CHECK(told(migrate, "BLUEGREEN_TRACE") == "/trace/app/d1");
  CHECK(told(world.hook_runs[4], "BLUEGREEN_STEP") == "post_stop");
  CHECK(told(migrate, "BLUEGREEN_REASON") == "(not told)");
}

TEST_CASE("output of a hook is progress of its step") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  deploy_in(world, config_with_hooks());
  CHECK(std::any_of(world.events.begin(), world.events.end(), [](const Event& event) {
    return event.step == "migrate" && event.state == StepState::kProgress &&
           event.text == "output of /h/migrate";
  }));
}

TEST_CASE("each failing hook ends the deploy as its step says, and the old color serves") {
  struct Case {
    const char* hook;
    ExitCode code;
    const char* serving;
  };
  const Case cases[] = {{"hook /h/migrate", ExitCode::kMigration, "v1 on blue"},
                        {"hook /h/pre2", ExitCode::kGate, "v1 on blue"},
                        {"hook /h/post", ExitCode::kRolledBack, "v1 on blue"},
                        {"hook /h/stopped", ExitCode::kDrainForced, "v2 on green"}};
  for (const Case& each : cases) {
    CAPTURE(each.hook);
    FakeWorld world;
    world.serve(Color::kBlue, "v1");
    world.fail_at(each.hook, {ExitCode::kGate, "it exited with 3", {}, "its last line"});
    const Ended ended = deploy_in(world, config_with_hooks());
    CHECK(ended.verdict.code == each.code);
    CHECK(ended.verdict.reason.find("it exited with 3") != std::string::npos);
    CHECK(world.serving() == each.serving);
    CHECK(world.broken.empty());
  }
}

TEST_CASE("failed migration moves nothing and shows its last lines") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const std::uint64_t generation = world.region.generation;
  world.fail_at("hook /h/migrate", {ExitCode::kGate, "no", {}, "its last line"});
  const Ended ended = deploy_in(world, config_with_hooks());
  CHECK(ended.verdict.tail == "its last line");
  CHECK(world.region.generation == generation);
  CHECK(position(world.log, "start green v2") == world.log.size());
}

TEST_CASE("rollback does not migrate") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  deploy_in(world, config_with_hooks());
  world.hook_runs.clear();
  auto plan = plan_rollback(world, world, "app", "d2", {});
  REQUIRE(plan);
  CHECK(run_plan(world, config_with_hooks(), *plan).verdict.code == ExitCode::kDone);
  REQUIRE_FALSE(world.hook_runs.empty());
  CHECK(world.hook_runs.front().command.front() == "/h/pre");
}

TEST_CASE("migration by a service runs once from the new image and is removed by the undo") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.hooks.migrate = MigrationConfig{{}, "migrate", 1min};
  CHECK(deploy_in(world, config).verdict.code == ExitCode::kDone);
  CHECK(position(world.log, "once migrate v2") < position(world.log, "start green v2"));

  FakeWorld crashing;
  crashing.serve(Color::kBlue, "v1");
  crashing.before_operation = [&](const std::string& operation) {
    if (operation == "once migrate v2") {
      throw Crash{};
    }
  };
  CHECK_THROWS_AS(deploy_in(crashing, config), Crash);
  crashing.before_operation = nullptr;
  CHECK(crashing.one_off_left == "bgctl-app-d1-migrate");
  auto recovered = recover_all(crashing, config);
  REQUIRE(recovered);
  REQUIRE(recovered->size() == 1);
  CHECK(recovered->front().code == ExitCode::kInterrupted);
  CHECK_FALSE(crashing.one_off_left);
  // Taking back is no second run.
  CHECK(position(crashing.log, "once migrate v2") == crashing.log.size());
  CHECK(crashing.serving() == "v1 on blue");
}

TEST_CASE("on_failure runs after the verdict with its reason and code") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.fail_at("hook /h/pre", {ExitCode::kGate, "not today", {}, {}});
  world.fail_at("hook /h/failed", {ExitCode::kGate, "no mail", {}, {}});
  const Ended ended = deploy_in(world, config_with_hooks());
  CHECK(ended.verdict.code == ExitCode::kGate);
  CHECK(position(world.log, "verdict") < position(world.log, "hook /h/failed2"));
  const HookRun& last = world.hook_runs.back();
  CHECK(last.command.front() == "/h/failed2");
  CHECK_FALSE(last.stoppable);
  CHECK(told(last, "BLUEGREEN_REASON") == "not today");
  CHECK(told(last, "BLUEGREEN_EXIT_CODE") == "60");
  CHECK(world.traces["d1"].verdict->code == ExitCode::kGate);
}

TEST_CASE("post_stop waits for the real stop when the old color is kept") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = config_with_hooks();
  config.keep_old = 10min;
  const Ended ended = deploy_in(world, config);
  REQUIRE(ended.leftover);
  CHECK(position(world.log, "hook /h/stopped") == world.log.size());
}

TEST_CASE("a crash in any hook converges, and hooks of the way forward run again") {
  for (const char* hook : {"hook /h/migrate", "hook /h/pre", "hook /h/post", "hook /h/stopped"}) {
    CAPTURE(hook);
    FakeWorld world;
    world.serve(Color::kBlue, "v1");
    world.before_operation = [&](const std::string& operation) {
      if (operation == hook) {
        throw Crash{};
      }
    };
    CHECK_THROWS_AS(deploy_in(world, config_with_hooks()), Crash);
    world.before_operation = nullptr;
    REQUIRE(recover_all(world, config_with_hooks()));
    CHECK(world.orphans_looked_for > 0);
    const bool forward =
        std::string(hook) == "hook /h/post" || std::string(hook) == "hook /h/stopped";
    CHECK(world.serving() == (forward ? "v2 on green" : "v1 on blue"));
    CHECK((position(world.log, hook) < world.log.size()) == forward);
    CHECK(world.broken.empty());
  }
}
