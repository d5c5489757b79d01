// What an inspect says, with and without the members that some engines leave out.
#include "controller/docker/engine_client.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Inspect of a running container is read") {
  const auto facts = parse_container(R"({"Id": "abc", "Name": "/staging-app_green-1",
    "RestartCount": 2, "Config": {"Image": "r/app@sha256:1", "Tty": false, "StopTimeout": 15},
    "State": {"Status": "running", "Running": true, "ExitCode": 0, "StartedAt": "2026-01-01",
      "Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "says 503\n"}]}},
    "NetworkSettings": {"Networks": {"staging_front": {"IPAddress": "172.28.0.12"},
      "six": {"IPAddress": "", "GlobalIPv6Address": "fd00::2"}}}})");
  REQUIRE(facts);
  CHECK(facts->name == "staging-app_green-1");
  CHECK(facts->image == "r/app@sha256:1");
  CHECK(facts->running);
  CHECK(facts->restarts == 2);
  CHECK(facts->health == "unhealthy");
  CHECK(facts->health_output == "says 503");
  CHECK(facts->stop_seconds == 15);
  CHECK(facts->addresses.at("staging_front") == "172.28.0.12");
  CHECK(facts->addresses.at("six") == "fd00::2");
}

TEST_CASE("Inspect without health, networks and a stop time has their defaults") {
  const auto facts = parse_container(
      R"({"Id": "abc", "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true},
          "Config": {"StopTimeout": null}, "NetworkSettings": {"Networks": null}})");
  REQUIRE(facts);
  CHECK(facts->health == "none");
  CHECK(facts->stop_seconds == 10);
  CHECK(facts->addresses.empty());
  CHECK(facts->out_of_memory);
  CHECK(facts->exit_code == 137);
}

TEST_CASE("Inspect that is none is refused") {
  CHECK_FALSE(parse_container("[]"));
  CHECK_FALSE(parse_container("{\"Id\": \"abc\"}"));
  CHECK_FALSE(parse_container("no json"));
}

}  // namespace
}  // namespace bluegreen
