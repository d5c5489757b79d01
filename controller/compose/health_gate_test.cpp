// Which states of containers mean healthy, wait or failed.
#include "controller/compose/health_gate.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

using State = HealthVerdict::State;

ContainerFacts container(const std::string& status, const std::string& health) {
  ContainerFacts out;
  out.id = "1";
  out.name = "c";
  out.status = status;
  out.running = status == "running";
  out.health = health;
  return out;
}

TEST_CASE("Containers are healthy when all of them are") {
  const auto good = container("running", "healthy");
  CHECK(judge_health({good, good}).state == State::kHealthy);
  CHECK(judge_health({good, container("running", "starting")}).state == State::kWaiting);
  CHECK(judge_health({container("created", "none")}).state == State::kWaiting);
}

TEST_CASE("Failure of one container is the failure of all, with its reason") {
  const auto reason = [](ContainerFacts bad) {
    const HealthVerdict verdict = judge_health({container("running", "healthy"), bad});
    CHECK(verdict.state == State::kFailed);
    return verdict.reason;
  };
  auto exited = container("exited", "none");
  exited.exit_code = 3;
  CHECK(reason(exited) == "container c exited with 3");
  exited.error = "no such file";
  CHECK(reason(exited) == "container c exited with 3 (no such file)");
  auto memory = container("exited", "none");
  memory.out_of_memory = true;
  CHECK(reason(memory) == "container c was killed: it ran out of memory");
  auto restarted = container("running", "healthy");
  restarted.restarts = 1;
  CHECK(reason(restarted) == "container c died and was restarted 1 times");
  auto sick = container("running", "unhealthy");
  sick.health_output = "503";
  CHECK(reason(sick) == "container c is unhealthy; the last check said: 503");
  CHECK(reason(container("running", "none")) ==
        "container c has no health check: nothing says when it can serve");
}

TEST_CASE("Service without a container has failed") {
  CHECK(judge_health({}).state == State::kFailed);
}

TEST_CASE("Exit code is read of a die event alone") {
  CHECK(exit_code_of_event(R"({"Action": "die", "Actor": {"Attributes": {"exitCode": "3"}}})") ==
        "3");
  CHECK_FALSE(exit_code_of_event(R"({"Action": "start", "Actor": {"Attributes": {}}})"));
  CHECK_FALSE(exit_code_of_event(R"({"Action": "die"})"));
  CHECK_FALSE(exit_code_of_event("[]"));
}

}  // namespace
}  // namespace bluegreen
