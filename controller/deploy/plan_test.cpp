// Unit tests of plan.hpp: names of releases, the choice of the image to roll back to, the journal.
#include "controller/deploy/plan.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;

TEST_CASE("release name is the tag, or else the best word of the image") {
  CHECK(release_name("v2") == "v2");
  CHECK(release_name("app:v1.2.3") == "v1.2.3");
  CHECK(release_name("localhost:5000/team/app:v1.2.3") == "v1.2.3");
  CHECK(release_name("localhost:5000/team/app") == "app");
  CHECK(release_name("localhost:5000/app:v2@sha256:0123456789abcdef0123") == "v2");
  CHECK(release_name("localhost:5000/app@sha256:0123456789abcdef0123") == "sha256:0123456789ab");
  CHECK(release_name("app:") == "app:");
}

TEST_CASE("plan of a deploy goes to the idle color, the very first one too") {
  FakeWorld world;
  auto first = plan_deploy(world, "app", "d1", "v1");
  REQUIRE(first);
  CHECK(first->idle == Color::kGreen);
  world.serve(Color::kGreen, "v1");
  auto second = plan_deploy(world, "app", "d2", "v2");
  REQUIRE(second);
  CHECK(second->idle == Color::kBlue);
  CHECK(second->active_before.release == "v1");
}

TEST_CASE("plan of a deploy is refused when the region is damaged") {
  FakeWorld world;
  world.region_damaged = true;
  auto plan = plan_deploy(world, "app", "d1", "v1");
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == ExitCode::kUsage);
}

TEST_CASE("plan of a rollback takes the region's image before the one of the history") {
  FakeWorld world;
  world.serve(Color::kGreen, "v1");
  world.serve(Color::kBlue, "v2");
  auto plan = plan_rollback(world, world, "app", "r1", {"v0", "v0", ""});
  REQUIRE(plan);
  CHECK(plan->image == "v1");
  CHECK(plan->idle == Color::kGreen);
  CHECK(plan->warm);

  world.running[1].reset();
  CHECK_FALSE(plan_rollback(world, world, "app", "r1", {})->warm);
  world.running[1] = FakeWorld::Running{"v0", 5, Health::kHealthy};  // somebody else's
  CHECK_FALSE(plan_rollback(world, world, "app", "r1", {})->warm);
}

TEST_CASE("plan of a rollback uses the history when the region names no image") {
  FakeWorld world;
  world.serve(Color::kBlue, "v2");
  auto plan = plan_rollback(world, world, "app", "r1", {"v1", "repo:v1", ""});
  REQUIRE(plan);
  CHECK(plan->image == "repo:v1");
  CHECK(plan->release == "v1");
  auto nothing = plan_rollback(world, world, "app", "r1", {});
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code == ExitCode::kPreflight);
}

TEST_CASE("plan survives its way through the journal") {
  FakeWorld world;
  world.serve(Color::kGreen, "v1");
  auto plan = plan_deploy(world, "app", "d2", "repo:v2");
  REQUIRE(plan);
  auto back = plan_from(facts_of(*plan));
  REQUIRE(back);
  CHECK(facts_of(*back) == facts_of(*plan));
  CHECK(back->idle == Color::kBlue);

  Facts damaged = facts_of(*plan);
  damaged["idle"] = "red";
  CHECK_FALSE(plan_from(damaged));
  damaged = facts_of(*plan);
  damaged["generation"] = "7x";
  CHECK_FALSE(plan_from(damaged));
}
