// Unit tests of steps/probed.hpp over the fake world: what it waits for, how it fails, and when it
// is sure that nobody probes.
#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

// A probe that knows: all endpoints in this state, by a prober that is at work on the application.
ProbeView seen(const shm::EndpointTable& table, shm::Health health, const std::string& error = {}) {
  ProbeView view;
  view.readable = true;
  view.prober = {true, 3, 4000, 10ms};
  view.probed = true;
  view.endpoints.resize(table.count);
  for (EndpointHealth& endpoint : view.endpoints) {
    endpoint.known = true;
    endpoint.health = health;
    endpoint.last_error = error;
  }
  return view;
}

struct ProbedWorld : FakeWorld {
  std::chrono::steady_clock::time_point begin;
  std::chrono::milliseconds took() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time - begin);
  }
  ProbedWorld() {
    serve(Color::kBlue, "v1");
    begin = time;
  }
  std::string noted() const {
    for (const Event& event : events) {
      if (event.step == "probed" && event.state == StepState::kProgress && !event.text.empty()) {
        return event.text;
      }
    }
    return {};
  }
};

AppConfig within(std::chrono::milliseconds time) {
  AppConfig config = quick_config();
  config.healthy_within = time;
  return config;
}

}  // namespace

TEST_CASE("probed waits until NGINX finds every endpoint of the new table healthy") {
  ProbedWorld world;
  std::uint64_t generation = 0;
  int looks = 0;
  world.probes_say = [&](Color color, const shm::EndpointTable& table) {
    CHECK(color == Color::kGreen);
    CHECK(table.count == 1);
    CHECK(shm::name_of(world.region.route.active) == "blue");
    generation = table.generation;
    return seen(table, ++looks < 4 ? shm::Health::kUnknown : shm::Health::kHealthy);
  };
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
  CHECK(looks == 4);
  CHECK(generation == world.region.tables[1].generation);
  CHECK(world.noted().empty());
  CHECK(world.serving() == "v2 on green");
}

TEST_CASE("probed passes an endpoint that is degraded: it takes traffic") {
  ProbedWorld world;
  world.probes_say = [](Color, const shm::EndpointTable& table) {
    return seen(table, shm::Health::kDegraded, "slow");
  };
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
}

TEST_CASE("probed ends with 50 and the last error when NGINX cannot reach the new color") {
  ProbedWorld world;
  world.probes_say = [](Color, const shm::EndpointTable& table) {
    return seen(table, shm::Health::kUnhealthy, "connect: refused");
  };
  const Verdict verdict = deploy_image(world, "v2", within(5s)).verdict;
  CHECK(verdict.code == ExitCode::kNotHealthy);
  CHECK(verdict.reason ==
        "NGINX's probes did not find green healthy within 5.0s: 127.0.0.1:8102 is unhealthy: "
        "connect: refused");
  CHECK(world.serving() == "v1 on blue");
  CHECK_FALSE(world.running[1]);
  CHECK(world.broken.empty());
  CHECK(world.took() >= 5s);
  CHECK(world.took() < 6s);
}

TEST_CASE("probed waits on for a first result while the application is probed") {
  ProbedWorld world;
  world.probes_say = [](Color, const shm::EndpointTable& table) {
    ProbeView view = seen(table, shm::Health::kUnknown);
    view.endpoints[0].known = false;
    view.prober.renewed_ago = 9s;
    return view;
  };
  const Verdict verdict = deploy_image(world, "v2", within(20s)).verdict;
  CHECK(verdict.code == ExitCode::kNotHealthy);
  CHECK(verdict.reason.find("127.0.0.1:8102 is not known to be healthy (NGINX worker 4000, which "
                            "probes, has been silent for 9") != std::string::npos);
}

TEST_CASE("probed passes at once where telemetry has no health, or NGINX is down") {
  ProbedWorld world;
  SECTION("no second part") {
    CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
    CHECK(world.noted() == "not waited for: this NGINX keeps no health");
  }
  SECTION("no lease, ever") {
    world.probes_say = [](Color, const shm::EndpointTable& table) {
      ProbeView view;
      view.readable = true;
      view.endpoints.resize(table.count);
      return view;
    };
    CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kDone);
    CHECK(world.took() < 1s);
    CHECK(world.noted() == "not waited for: no NGINX worker probes anything");
  }
  SECTION("no worker") {
    world.nginx_runs = false;
    world.probes_say = [](Color, const shm::EndpointTable& table) {
      return seen(table, shm::Health::kUnhealthy);
    };
    deploy_image(world, "v2");
    CHECK(world.noted() == "not waited for: no NGINX worker is alive");
  }
  CHECK(world.serving() == "v2 on green");
}

TEST_CASE("probed passes after three seconds when nobody probes the application") {
  ProbedWorld world;
  ProbeView view;
  view.readable = true;
  SECTION("no lease") {
    view.probed = true;  // its holder has gone and left records
    view.prober.epoch = 3;
  }
  SECTION("another application's prober") {
    view.prober = {true, 3, 4000, 10ms};
  }
  world.probes_say = [&](Color, const shm::EndpointTable& table) {
    view.endpoints.assign(table.count, {});
    return view;
  };
  AppConfig config = within(GENERATE(60s, 2s));
  CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  CHECK(world.noted() == (view.prober.has_lease
                              ? "not waited for: NGINX probes other applications only"
                              : "not waited for: no NGINX worker probes anything"));
  CHECK(world.took() >= std::min(3'000ms, config.healthy_within));
  CHECK(world.took() < 4s);
}

TEST_CASE("probed waits for nobody in a rollback to a color that still runs") {
  ProbedWorld world;
  ProbeView view;
  view.readable = true;
  view.prober.epoch = 3;
  world.probes_say = [&](Color, const shm::EndpointTable& table) {
    view.endpoints.assign(table.count, {});
    return view;
  };
  AppConfig config = quick_config();
  config.keep_old = 10min;
  REQUIRE(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  world.begin = world.time;
  run_plan(world, config, *plan_rollback(world, world, "app", "r1", {}));
  CHECK(world.serving() == "v1 on blue");
  CHECK(world.took() < 1s);
}

TEST_CASE("probed heeds a request to stop, and the old color serves on") {
  ProbedWorld world;
  world.probes_say = [&](Color, const shm::EndpointTable& table) {
    world.stop_asked = true;
    return seen(table, shm::Health::kUnknown);
  };
  CHECK(deploy_image(world, "v2").verdict.code == ExitCode::kAborted);
  CHECK(world.serving() == "v1 on blue");
}
