// Which API version is spoken, and with whom it is refused.
#include "controller/docker/engine_connection.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Engine that does not run is told by its socket and not by a port") {
  EngineConnection engine("unix:///nowhere/docker.sock");
  const auto answer = engine.call({});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ExitCode::kPreflight);
  CHECK(answer.error().what ==
        "Docker Engine does not run: nobody listens on its socket /nowhere/docker.sock");
  CHECK(answer.error().hint.find("systemctl start docker") != std::string::npos);
}

TEST_CASE("API version is compared by numbers") {
  CHECK(*parse_api_version("1.9") < *parse_api_version("1.41"));
  for (const char* text : {"", "1", "1.", "1.x", "1.41x", "v1.41"}) {
    INFO(text);
    CHECK_FALSE(parse_api_version(text));
  }
}

TEST_CASE("The lower of both API versions is spoken") {
  CHECK(*choose_api_version({1, 41}, std::nullopt) == ApiVersion{1, 41});
  CHECK(*choose_api_version({1, 52}, ApiVersion{1, 44}) == ApiVersion{1, 51});
}

TEST_CASE("Engine that is too old or too new is refused with both versions") {
  const auto old = choose_api_version({1, 24}, std::nullopt);
  REQUIRE_FALSE(old);
  CHECK(old.error().what == "Docker Engine speaks API 1.24, bgctl needs 1.40 or newer");
  const auto future = choose_api_version({1, 70}, ApiVersion{1, 60});
  REQUIRE_FALSE(future);
  CHECK(future.error().what == "Docker Engine takes API 1.60 and newer, bgctl speaks up to 1.51");
  CHECK(future.error().code == ExitCode::kPreflight);
}

TEST_CASE("Address that is neither a socket nor tcp is refused") {
  const auto answer = EngineConnection("ssh://host").call({});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().what ==
        "Docker Engine's address is 'ssh://host', expected unix:///path or tcp://host:port");
}

}  // namespace
}  // namespace bluegreen
