// Unit tests of canary_config.hpp, through the whole document as a user writes it.
#include "controller/config/canary_config.hpp"

#include <catch2/catch.hpp>

#include "controller/config/config.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

Result<Config> with(const std::string& keys) {
  return parse_config(
      R"({"apps": {"app": {"runtime": "process", "process": {"command": ["/x"],
          "ports": {"blue": 1, "green": 2}}, )" +
          keys + "}}}",
      "f");
}

}  // namespace

TEST_CASE("canary and analysis are read, and a stage without min_requests has the analysis' one") {
  const auto config = with(R"("canary": [{"weight": "5%", "for": "30s"},
      {"weight": "25.5", "for": "1m", "min_requests": 7}],
      "analysis": {"confidence": "99.9%", "min_requests": 200, "error_tolerance": "0%",
        "latency_tolerance": "50%", "latency_slack": "0s", "max_error_rate": "1%",
        "max_latency": {"p99": "2s"}, "not_enough": "fail"})");
  REQUIRE(config);
  const CanaryConfig& canary = config->apps.at("app").canary;
  REQUIRE(canary.stages.size() == 2);
  CHECK(canary.stages[0].weight == 500);
  CHECK(canary.stages[0].length == 30s);
  CHECK(canary.stages[0].min_requests == 200);
  CHECK(canary.stages[1].weight == 2550);
  CHECK(canary.stages[1].min_requests == 7);
  CHECK(canary.analysis.confidence == 9990);
  CHECK(canary.analysis.error_tolerance == 0);
  CHECK(canary.analysis.latency_tolerance == 5000);
  CHECK(canary.analysis.latency_slack == 0ms);
  CHECK(canary.analysis.max_error_rate == 100U);
  CHECK(canary.analysis.max_latency[0] == 0ms);
  CHECK(canary.analysis.max_latency[2] == 2s);
  CHECK(canary.analysis.not_enough == NotEnough::kFail);
}

TEST_CASE("without canary and analysis there is no stage and no limit") {
  const auto config = with(R"("soak": "0s")");
  REQUIRE(config);
  const CanaryConfig& canary = config->apps.at("app").canary;
  CHECK(canary.stages.empty());
  CHECK_FALSE(canary.analysis.max_error_rate);
  CHECK(canary.analysis.not_enough == NotEnough::kPass);
}

TEST_CASE("what is wrong in canary or analysis is told with its path") {
  struct Case {
    const char* keys;
    const char* expected;
  };
  const Case one = GENERATE(
      Case{R"("canary": {})", "apps.app.canary: expected a list of at most 20 stages"},
      Case{R"("canary": [5])", "apps.app.canary[0]: expected an object, found 5"},
      Case{R"("canary": [{"weight": "5%"}])", "apps.app.canary[0].for: required: expected a dur"},
      Case{R"("canary": [{"for": "1s"}])", "apps.app.canary[0].weight: required: expected the new"},
      Case{R"("canary": [{"weight": 5, "for": "1s"}])",
           "apps.app.canary[0].weight: expected a percentage from \"0.01%\" to \"100%\" with at "
           "most two decimals, found 5"},
      Case{R"("canary": [{"weight": "0%", "for": "1s"}])", "found \"0%\""},
      Case{R"("canary": [{"weight": "5%", "for": "1s", "min_requests": 0}])",
           "apps.app.canary[0].min_requests: expected"},
      Case{R"("canary": [{"weight": "5%", "for": "1s", "until": 1}])",
           "apps.app.canary[0].until: unknown key, expected one of weight, for, min_requests"},
      Case{R"("analysis": {"confidence": "100%"})",
           "apps.app.analysis.confidence: expected a percentage from \"50%\" to \"99.99%\""},
      Case{R"("analysis": {"max_latency": {"p95": "1s"}})",
           "apps.app.analysis.max_latency.p95: unknown key, expected one of p50, p90, p99"},
      Case{R"("analysis": {"not_enough": "wait"})",
           "apps.app.analysis.not_enough: expected \"pass\" or \"fail\", found \"wait\""});
  CAPTURE(one.keys);
  const auto config = with(one.keys);
  REQUIRE_FALSE(config);
  CHECK_THAT(config.error().what, Catch::Contains(one.expected));
}
