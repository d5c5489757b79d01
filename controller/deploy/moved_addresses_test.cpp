// A serving color whose containers were started again, elsewhere.
#include "controller/deploy/moved_addresses.hpp"

#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"

using namespace bluegreen;

TEST_CASE("addresses that are right are not published again") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const std::uint64_t before = world.region.generation;
  CHECK(*publish_moved_addresses(world, world, "app") == 0);
  CHECK(world.region.generation == before);
}

TEST_CASE("container that was started again is published under its old release") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const Labels labels = labels_of(world.region.tables[0]);
  world.running[0]->identity = 999;
  CHECK(*publish_moved_addresses(world, world, "app") == 1);
  CHECK(world.region.tables[0].endpoints[0].identity == 999);
  CHECK(labels_of(world.region.tables[0]).release == labels.release);
  CHECK(world.region.route.active == Color::kBlue);
  CHECK(world.broken.empty());
}

TEST_CASE("color of which nothing runs keeps its addresses") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  const std::uint64_t count = world.region.tables[0].count;
  world.running[0].reset();
  CHECK(*publish_moved_addresses(world, world, "app") == 0);
  CHECK(world.region.tables[0].count == count);
}
