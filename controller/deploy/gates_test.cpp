// Unit tests of steps/gates.hpp, over the fake world: what opens them, and that whatever does not
// leaves the old color serving.
#include "controller/deploy/steps/gates.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

struct GateWorld : FakeWorld {
  GateWorld() { serve(Color::kBlue, "v1"); }
};

AppConfig with_checks(const std::vector<std::string>& paths) {
  AppConfig config = quick_config();
  config.smoke.emplace();
  for (const std::string& path : paths) {
    SmokeCheck check;
    check.path = path;
    check.body = "ok";
    config.smoke->checks.push_back(check);
  }
  return config;
}

Ended deploy_paused(FakeWorld& world, std::chrono::milliseconds at_most) {
  Plan plan = *plan_deploy(world, "app", "d1", "v2");
  plan.pause = {"flip", at_most};
  return run_plan(world, quick_config(), plan);
}

}  // namespace

TEST_CASE("smoke asks the idle color for everything after publish and before the flip") {
  GateWorld world;
  CHECK(deploy_image(world, "v2", with_checks({"/a", "/b"})).verdict.code == ExitCode::kDone);
  CHECK(position(world.log, "publish green v2") < position(world.log, "ask GET /a"));
  CHECK(position(world.log, "ask GET /a") < position(world.log, "ask GET /b"));
  CHECK(position(world.log, "ask GET /b") < position(world.log, "activate green"));
}

TEST_CASE("smoke check that fails ends the deploy with 60 and what was found") {
  GateWorld world;
  world.smoke_says = [](const SmokeRequest& request) -> Result<SmokeAnswer> {
    return SmokeAnswer{
        request.path == "/b" ? 500 : 200, {{"x-bluegreen-color", "green"}}, "ok", {}};
  };
  const Verdict verdict = deploy_image(world, "v2", with_checks({"/a", "/b", "/c"})).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK(verdict.reason == "GET /b: expected status 200 to 299, found 500, body \"ok\"");
  CHECK(world.serving() == "v1 on blue");
  CHECK(position(world.log, "ask GET /c") == world.log.size());
  CHECK(world.broken.empty());
  CHECK_FALSE(world.running[1]);
}

TEST_CASE("answer of the active color is never good enough, and is not asked for again") {
  GateWorld world;
  world.smoke_says = [](const SmokeRequest&) -> Result<SmokeAnswer> {
    return SmokeAnswer{200, {{"x-bluegreen-color", "blue"}}, "ok", {}};
  };
  const Verdict verdict = deploy_image(world, "v2", with_checks({"/a"})).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK(std::count(world.log.begin(), world.log.end(), "ask GET /a") == 1);
}

TEST_CASE("smoke asks again only while a worker of NGINX has not attached, and not for ever") {
  GateWorld world;
  int asked = 0;
  world.smoke_says = [&](const SmokeRequest&) -> Result<SmokeAnswer> {
    const bool knows = ++asked == 3;
    return SmokeAnswer{200, {{"x-bluegreen-color", knows ? "green" : "blue"}}, "ok", {}};
  };
  world.attach_after_looks = 10;
  CHECK(deploy_image(world, "v2", with_checks({"/a"})).verdict.code == ExitCode::kDone);
  CHECK(asked == 3);

  GateWorld never;
  never.smoke_says = [](const SmokeRequest&) -> Result<SmokeAnswer> { return SmokeAnswer{}; };
  never.attach_after_looks = 1'000'000;
  CHECK(deploy_image(never, "v2", with_checks({"/a"})).verdict.code == ExitCode::kGate);
  CHECK(std::count(never.log.begin(), never.log.end(), "ask GET /a") < 50);
}

TEST_CASE("secret that cannot be had is found before anything moves") {
  GateWorld world;
  world.secret_trouble = "/secret: there is no such file";
  const Verdict verdict = deploy_image(world, "v2", with_checks({"/a"})).verdict;
  CHECK(verdict.code == ExitCode::kPreflight);
  CHECK(verdict.reason == world.secret_trouble);
  CHECK(position(world.log, "pull v2") == world.log.size());
}

TEST_CASE("rollback to a color that still runs sends no smoke checks") {
  GateWorld world;
  AppConfig config = with_checks({"/a"});
  config.keep_old = 10min;
  REQUIRE(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  world.log.clear();
  const Plan plan = *plan_rollback(world, world, "app", "d2", {});
  REQUIRE(plan.warm);
  CHECK(run_plan(world, config, plan).verdict.code == ExitCode::kDone);
  CHECK(position(world.log, "ask GET /a") == world.log.size());
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("gate waits for the promote and goes on then") {
  GateWorld world;
  world.promote_after_looks = 20;
  const auto begin = world.time;
  CHECK(deploy_paused(world, 1h).verdict.code == ExitCode::kDone);
  CHECK(world.time - begin > 1s);
  CHECK(world.time - begin < 1min);
  CHECK(world.serving() == "v2 on green");
}

TEST_CASE("gate that nobody opens ends with 60 at its limit, undone") {
  GateWorld world;
  const auto begin = world.time;
  const Verdict verdict = deploy_paused(world, 30s).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK(verdict.reason == "nobody promoted it within 30.0s");
  CHECK(world.time - begin >= 30s);
  CHECK(world.time - begin < 32s);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
}

TEST_CASE("abort at the gate ends with 95, undone") {
  GateWorld world;
  world.after_order_look = [&] { world.stop_asked = true; };
  const Verdict verdict = deploy_paused(world, 1h).verdict;
  CHECK(verdict.code == ExitCode::kAborted);
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
}

TEST_CASE("color that dies while it waits at the gate is not promoted") {
  GateWorld world;
  world.promote_after_looks = 50;
  world.after_order_look = [&] { world.running[1].reset(); };
  const Verdict verdict = deploy_paused(world, 1h).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK(verdict.reason == "while it waited for `bgctl promote`, green has ended");
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("pause is in the journal's plan") {
  GateWorld world;
  world.promote_after_looks = 1;
  deploy_paused(world, 90s);
  const auto plan = plan_from(world.traces["d1"].journal.front().data);
  REQUIRE(plan);
  CHECK(plan->pause.before == "flip");
  CHECK(plan->pause.at_most == 90s);
}
