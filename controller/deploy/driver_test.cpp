// Unit tests of driver.hpp and the steps, over the fake world: the order of acts, what each failure
// ends with, and that the old color serves through all of them.
#include "controller/deploy/driver.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

TEST_CASE("deploy acts in the order of the contract") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const Ended ended = deploy_image(world, "v2");
  CHECK(ended.verdict.code == ExitCode::kDone);
  const std::vector<std::string> expected = {
      "preflight",      "pull v2",    "start green v2", "healthy green",         "publish green v2",
      "activate green", "close blue", "stop blue",      "publish blue v1 empty", "close blue",
      "mark v2",        "verdict"};
  CHECK(world.log == expected);
  CHECK(world.serving() == "v2 on green");
  CHECK(world.broken.empty());
  CHECK(world.last_image == "v2");
}

TEST_CASE("deploy verdict says what serves now and what did before") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const Verdict verdict = deploy_image(world, "repo/app:v2").verdict;
  CHECK(verdict.active == "green");
  CHECK(verdict.release == "v2");
  CHECK(verdict.previous == "v1");
  CHECK(verdict.image == "repo/app:v2");
  CHECK(verdict.headline == "green serves v2, before: v1 on blue");
  CHECK(verdict.trace == "/trace/app/d1");
  REQUIRE(world.traces["d1"].verdict);
}

TEST_CASE("first deploy of an application goes to green and leaves nothing to stop") {
  FakeWorld world;
  const Ended ended = deploy_image(world, "v1");
  CHECK(ended.verdict.code == ExitCode::kDone);
  CHECK(ended.verdict.headline == "green serves v1");
  CHECK(world.serving() == "v1 on green");
  CHECK_FALSE(shm::is_published(world.region.tables[0]));
}

TEST_CASE("five deploys in a row alternate the colors") {
  FakeWorld world;
  for (int i = 1; i <= 5; ++i) {
    const std::string n = std::to_string(i);
    CHECK(deploy_image(world, "v" + n, quick_config(), "d" + n).verdict.code == ExitCode::kDone);
  }
  CHECK(world.serving() == "v5 on green");
  CHECK(world.broken.empty());
}

TEST_CASE("each intent is in the journal before its act") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  std::vector<std::string> missing;
  world.before_operation = [&](const std::string& operation) {
    const auto& journal = world.traces["d1"].journal;
    for (const std::string step : {"preflight", "pull", "start", "publish", "stop"}) {
      if (operation.compare(0, step.size(), step) == 0 &&
          std::none_of(journal.begin(), journal.end(), [&](const JournalRecord& record) {
            return record.kind == RecordKind::kIntent && record.step == step;
          })) {
        // What takes old blue's addresses away belongs to the step "stop".
        missing.push_back(operation);
      }
    }
  };
  deploy_image(world, "v2");
  CHECK(missing.empty());
}

namespace {

struct FailureCase {
  const char* operation;
  ExitCode code;
};

}  // namespace

TEST_CASE("failure before the flip ends with its step's code and undoes everything") {
  const FailureCase one = GENERATE(
      FailureCase{"preflight", ExitCode::kPreflight}, FailureCase{"pull", ExitCode::kPull},
      FailureCase{"start", ExitCode::kNotHealthy}, FailureCase{"healthy", ExitCode::kNotHealthy},
      FailureCase{"publish green v2", ExitCode::kUsage}, FailureCase{"activate", ExitCode::kUsage});
  CAPTURE(one.operation);
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.env_image[1] = "v0";
  world.fail_at(one.operation, {ExitCode::kPreflight, "no", "do this", ""});
  const Verdict verdict = deploy_image(world, "v2").verdict;
  CHECK(verdict.code == one.code);
  CHECK(verdict.reason == "no");
  CHECK(verdict.hint == "do this");
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.env_image[1] == "v0");
  CHECK(world.region.tables[1].count == 0);
  CHECK(world.broken.empty());
  CHECK(verdict.headline.find("blue serves v1") != std::string::npos);
}

TEST_CASE("images that cannot be had or do not work are refused with the log") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  CHECK(deploy_image(world, "missing", quick_config(), "d1").verdict.code == ExitCode::kPull);
  const Verdict exits = deploy_image(world, "exits", quick_config(), "d2").verdict;
  CHECK(exits.code == ExitCode::kNotHealthy);
  CHECK(exits.tail == "boom\n");
  CHECK(world.traces["d2"].logs["green.log"] == "log of green\n");
  const Verdict sick = deploy_image(world, "sick", quick_config(), "d3").verdict;
  CHECK(sick.code == ExitCode::kNotHealthy);
  CHECK(sick.tail == "log of green\n");
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.broken.empty());
}

TEST_CASE("failed deploy keeps the name of the image before, for a rollback") {
  FakeWorld world;
  world.serve(Color::kGreen, "v1");
  deploy_image(world, "v2", quick_config(), "d1");
  world.fail_at("activate", {ExitCode::kUsage, "no", "", ""});
  deploy_image(world, "v3", quick_config(), "d2");
  auto plan = plan_rollback(world, world, "app", "r1", {});
  REQUIRE(plan);
  CHECK(plan->image == "v1");
}

TEST_CASE("failed deploy restores the image of its color as the last good deploy left it") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.env_image[1] = "v0";
  CHECK(deploy_image(world, "v2", quick_config(), "d1").verdict.code == ExitCode::kDone);
  (void)world.start(Color::kBlue, {"v1", "v1"});
  (void)world.activate("app", Color::kBlue);  // by hand: green is idle again
  CHECK(deploy_image(world, "sick", quick_config(), "d2").verdict.code == ExitCode::kNotHealthy);
  CHECK(world.env_image[1] == "v2");
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("color that dies in the soak is rolled back") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.soak = 10s;
  const auto change = GENERATE(0, 1, 2);
  world.before_operation = [&](const std::string& operation) {
    if (operation == "activate green") {
      world.before_operation = [&](const std::string&) {
        world.before_operation = nullptr;
        if (change == 0) {
          world.running[1]->identity += 1;  // restarted
        } else if (change == 1) {
          world.running[1]->health = Health::kUnhealthy;
        } else {
          world.running[1].reset();
        }
      };
    }
  };
  const Verdict verdict = deploy_image(world, "v2", config).verdict;
  CHECK(verdict.code == ExitCode::kRolledBack);
  CHECK(verdict.headline.find("rolled back: blue serves v1") != std::string::npos);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  // Back first, everything else after.
  CHECK(position(world.log, "activate blue") < position(world.log, "remove green"));
}

TEST_CASE("soak passes when the color stays what it was") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.soak = 10s;
  const auto before = world.time;
  CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  CHECK(world.time - before >= 10s);
}

TEST_CASE("rollback that fails touches nothing else and asks for an operator") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.soak = 10s;
  world.before_operation = [&](const std::string& operation) {
    if (operation == "activate green") {
      world.stop_asked = true;
    }
  };
  world.fail_at("activate blue", {ExitCode::kUsage, "disk broken", "", ""});
  const Verdict verdict = deploy_image(world, "v2", config).verdict;
  CHECK(verdict.code == ExitCode::kRollbackFailed);
  CHECK(verdict.headline.find("an operator is needed: green serves v2") != std::string::npos);
  CHECK(world.running[1]);
  CHECK(world.running[0]);
}

TEST_CASE("stop on request before the flip and in the soak returns to the old color") {
  const char* when = GENERATE("pull", "publish green", "activate green");
  CAPTURE(when);
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.soak = 10s;
  world.before_operation = [&](const std::string& operation) {
    world.stop_asked |= operation.compare(0, std::string(when).size(), when) == 0;
  };
  const Verdict verdict = deploy_image(world, "v2", config).verdict;
  CHECK(verdict.code == ExitCode::kAborted);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.broken.empty());
}

TEST_CASE("stop on request during the drain puts the old color back") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 3;
  world.before_operation = [&](const std::string& operation) {
    world.stop_asked |= operation == "close blue";
  };
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kAborted);
  CHECK(world.serving() == "v1 on blue");
  CHECK(world.broken.empty());
}

TEST_CASE("drain waits for the last request before the old color is stopped") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.in_flight[0] = 5;
  world.leaves_after_looks = 40;
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
  CHECK(world.broken.empty());
  CHECK_FALSE(world.running[0]);
}

TEST_CASE("drain that cannot be proven ends with 80 and the reason") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const auto before = world.time;
  SECTION("a worker without a slot") {
    world.telemetry_exact = false;
    const Verdict verdict = deploy_image(world, "v2").verdict;
    CHECK(verdict.code == ExitCode::kDrainForced);
    CHECK(verdict.reason == "drain of blue: a worker has no slot");
    CHECK(world.time - before >= 30s);
  }
  SECTION("no NGINX: not waited for long") {
    world.nginx_runs = false;
    const Verdict verdict = deploy_image(world, "v2").verdict;
    CHECK(verdict.code == ExitCode::kDrainForced);
    CHECK(verdict.reason == "drain of blue: telemetry: no such file");
    CHECK(world.time - before < 5s);
  }
  CHECK(world.serving() == "v2 on green");
}

TEST_CASE("failure after the drain does not move traffic back") {
  const char* operation = GENERATE("close blue", "stop blue", "mark");
  CAPTURE(operation);
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.fail_at(operation, {ExitCode::kPreflight, "engine gone", "", ""});
  const Verdict verdict = deploy_image(world, "v2").verdict;
  CHECK(verdict.code == ExitCode::kDrainForced);
  CHECK(verdict.reason.find("engine gone") != std::string::npos);
  CHECK(world.serving() == "v2 on green");
  // What was not closed was not stopped.
  CHECK(world.running[0].has_value() == (std::string(operation) != "mark"));
  CHECK(world.broken.empty());
}

TEST_CASE("idle color that a crash left running is drained and replaced") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  (void)world.start(Color::kGreen, {"junk", "junk"});
  world.in_flight[1] = 2;
  world.leaves_after_looks = 3;
  world.region.route.weight = 500;
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
  CHECK(world.serving() == "v2 on green");
  CHECK(world.broken.empty());
}

TEST_CASE("trace that cannot be written stops a deploy before anything has moved") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.trace_full = true;
  const Verdict verdict = deploy_image(world, "v2").verdict;
  CHECK(verdict.code == ExitCode::kPreflight);
  CHECK(verdict.reason.find("No space left") != std::string::npos);
  CHECK(world.serving() == "v1 on blue");
  CHECK(position(world.log, "preflight") == world.log.size());
}

TEST_CASE("disk that gets full during a deploy leaves the old color serving") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const char* operation = GENERATE("start", "activate green");
  world.before_operation = [&](const std::string& name) {
    world.trace_full |= name.compare(0, std::string(operation).size(), operation) == 0;
  };
  AppConfig config = quick_config();
  config.soak = 10s;
  const Verdict verdict = deploy_image(world, "v2", config).verdict;
  CHECK(verdict.code != ExitCode::kDone);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.broken.empty());
}

TEST_CASE("undo that fails ends with 90 and says what was left") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.fail_at("remove green", {ExitCode::kPreflight, "engine gone", "", ""});
  const Verdict verdict = deploy_image(world, "sick").verdict;
  CHECK(verdict.code == ExitCode::kInterrupted);
  CHECK(verdict.reason.find("start could not be undone: engine gone") != std::string::npos);
  CHECK(world.serving() == "v1 on blue");
  // The next recovery takes it away.
  REQUIRE(recover_all(world));
  CHECK_FALSE(world.running[1]);
  CHECK(recover_all(world)->empty());
}

TEST_CASE("rollback to a color that still runs starts nothing") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = quick_config();
  config.keep_old = 10min;
  REQUIRE(deploy_image(world, "v2", config, "d1").leftover);
  world.log.clear();
  const Ended ended = run_plan(world, config, *plan_rollback(world, world, "app", "r1", {}));
  CHECK(ended.verdict.code == ExitCode::kDone);
  CHECK(ended.verdict.headline.find("rolled back: blue serves v1, before: v2 on green") == 0);
  // The slow look at the host is not before it either: a rollback is in a hurry.
  const std::vector<std::string> expected = {"publish blue v1", "activate blue", "close green",
                                             "mark v1", "verdict"};
  CHECK(world.log == expected);
  CHECK(world.serving() == "v1 on blue");
  CHECK(world.broken.empty());
}

TEST_CASE("rollback to a color that was stopped deploys its image again") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  deploy_image(world, "v2", quick_config(), "d1");
  const Ended ended =
      run_plan(world, quick_config(), *plan_rollback(world, world, "app", "r1", {}));
  CHECK(ended.verdict.code == ExitCode::kDone);
  CHECK(world.serving() == "v1 on blue");
  CHECK(position(world.log, "start blue v1") < world.log.size());
  // And forward again.
  CHECK(
      run_plan(world, quick_config(), *plan_rollback(world, world, "app", "r2", {})).verdict.code ==
      ExitCode::kDone);
  CHECK(world.serving() == "v2 on green");
  CHECK(world.broken.empty());
}
