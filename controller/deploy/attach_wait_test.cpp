// Unit tests of attach_wait.hpp: it waits for workers, not for ever, and for nobody who is not
// there.
#include "controller/deploy/attach_wait.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

TEST_CASE("attach wait costs one look when all workers have attached or none lives") {
  FakeWorld world;
  world.nginx_runs = GENERATE(true, false);
  const auto before = world.time;
  CHECK(wait_attached(world, world, 7).empty());
  CHECK(world.time == before);
}

TEST_CASE("attach wait lasts until the workers have attached, 3 s at most") {
  FakeWorld world;
  const auto before = world.time;
  world.attach_after_looks = 100;
  CHECK(wait_attached(world, world, 7).empty());
  CHECK(world.time - before == 500ms);
  world.attach_after_looks = 1'000'000;
  CHECK(wait_attached(world, world, 7) == "2 of 2 NGINX workers do not obey this control file");
  CHECK(world.time - before == 3'500ms);
}

TEST_CASE("flip of a deploy is done when every worker has attached") {
  FakeWorld world;
  world.attach_after_looks = 200;
  std::chrono::steady_clock::time_point marked;
  world.before_operation = [&](const std::string& operation) {
    if (operation == "mark v1") {
      marked = world.time;
    }
  };
  const auto before = world.time;
  CHECK(deploy_image(world, "v1").verdict.code == ExitCode::kDone);
  CHECK(marked - before == 1'000ms);
}
