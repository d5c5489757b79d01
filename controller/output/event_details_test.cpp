// An event's figures on their way through the trace: out as JSON, back as they were.
#include "controller/output/event_details.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

EventDetails there_and_back(const EventDetails& details) {
  const Event event{{}, "step", StepState::kProgress, "", {}, details};
  const auto back = event_from_json(event_to_json(event));
  REQUIRE(back);
  // What is lost on the way would be lost twice: the JSON of both is the same.
  CHECK(details_to_json(back->details) == details_to_json(details));
  return back->details;
}

}  // namespace

TEST_CASE("details: a pull's layers, health, traffic and a drain come through the trace whole") {
  const auto pull = std::get<PullDetails>(
      there_and_back(PullDetails{{{"a1", "Downloading", 5, 10}, {"b2", "Waiting", 0, 0}}, 3, 5}));
  REQUIRE(pull.layers.size() == 2);
  CHECK(pull.layers[0].current == 5);
  CHECK(pull.done == 3);

  const auto health =
      std::get<HealthDetails>(there_and_back(HealthDetails{"green", "healthy", "unknown", 2, 1}));
  CHECK(health.container == "healthy");
  CHECK(health.endpoints == 2);

  const auto traffic = std::get<TrafficDetails>(there_and_back(TrafficDetails{
      {{"green", 500, 412, 21, 1000, 2000, 9000, false}, {"blue", 9500, 8000, 3, 0, 0, 0, true}},
      milliseconds{1500}}));
  REQUIRE(traffic.sides.size() == 2);
  CHECK(traffic.sides[0].share_bp == 500);
  CHECK(traffic.sides[1].baseline);
  CHECK(traffic.left == milliseconds{1500});

  const auto drain = std::get<DrainDetails>(there_and_back(
      DrainDetails{"blue", 12, milliseconds{8000}, milliseconds{22000}, milliseconds{61000}, 3}));
  CHECK(drain.oldest == milliseconds{61000});
  CHECK(drain.long_lived == 3U);
  CHECK_FALSE(
      std::get<DrainDetails>(there_and_back(DrainDetails{"blue", 1, {}, {}, {}, {}})).oldest);
}

TEST_CASE("details: what is of no kind we know, or not what it should be, is none or nought") {
  CHECK(details_from_json({{"kind", "later"}}).index() == 0);
  CHECK(details_from_json("pull").index() == 0);
  const auto read = [](const char* text) { return details_from_json(nlohmann::json::parse(text)); };
  const auto pull = std::get<PullDetails>(
      read(R"({"kind":"pull","layers":[1,{"id":7,"current":-1,"total":"x"}]})"));
  REQUIRE(pull.layers.size() == 1);
  CHECK(pull.layers[0].id.empty());
  CHECK(pull.layers[0].current == 0);
  const auto traffic = std::get<TrafficDetails>(
      read(R"({"kind":"traffic","colors":[{"share_bp":70000}],"left_ms":-5})"));
  CHECK(traffic.sides.front().share_bp == 10000);
  CHECK(traffic.left.count() == 0);
  CHECK(event_to_json({{}, "pull", StepState::kDone, "x", {}, {}}).find("details") ==
        std::string::npos);
}

}  // namespace bluegreen
