// See canary_config.hpp.
#include "controller/config/canary_config.hpp"

#include <string>

#include "controller/config/checker.hpp"
#include "controller/config/percent.hpp"

namespace bluegreen {
namespace {

using detail::Section;
using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::size_t kMostStages = 20;
constexpr std::uint32_t kMostRequests = 1'000'000'000;

// Basis points of a text such as "5%" or "0.25%"; none when the key is absent or wrong.
std::optional<std::uint32_t> percentage(Section& section, const std::string& key,
                                        std::uint32_t least, std::uint32_t most) {
  const nlohmann::json* value = section.any(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto parsed =
      value->is_string() ? parse_percent(value->get_ref<const std::string&>()) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most) {
    section.wrong(key, "a percentage from \"" + percent_text(least) + "\" to \"" +
                           percent_text(most) + "\" with at most two decimals");
    return std::nullopt;
  }
  return parsed;
}

AnalysisConfig read_analysis(Section& app) {
  AnalysisConfig to;
  Section section(app.problems(), app.object("analysis"), app.path_of("analysis"));
  to.confidence = percentage(section, "confidence", 5'000, 9'999).value_or(to.confidence);
  section.number("min_requests", to.min_requests, 1, kMostRequests);
  to.error_tolerance =
      percentage(section, "error_tolerance", 0, 10'000).value_or(to.error_tolerance);
  to.latency_tolerance =
      percentage(section, "latency_tolerance", 0, 10'000).value_or(to.latency_tolerance);
  section.duration("latency_slack", to.latency_slack, milliseconds{0}, hours{1});
  to.max_error_rate = percentage(section, "max_error_rate", 0, 10'000);
  Section latency(section.problems(), section.object("max_latency"),
                  section.path_of("max_latency"));
  constexpr const char* kQuantiles[] = {"p50", "p90", "p99"};
  for (std::size_t i = 0; i < to.max_latency.size(); ++i) {
    latency.duration(kQuantiles[i], to.max_latency[i], milliseconds{1}, hours{1});
  }
  std::string choice = "pass";
  section.text("not_enough", choice);
  if (choice != "pass" && choice != "fail") {
    section.wrong("not_enough", "\"pass\" or \"fail\"");
  }
  to.not_enough = choice == "fail" ? NotEnough::kFail : NotEnough::kPass;
  return to;
}

CanaryStage read_stage(Section& section, std::uint32_t min_requests) {
  CanaryStage stage;
  stage.min_requests = min_requests;
  section.require("weight", "the new color's share, as in \"5%\"");
  stage.weight = percentage(section, "weight", 1, 10'000).value_or(stage.weight);
  section.require("for", "a duration, as in \"5m\"");
  section.duration("for", stage.length, milliseconds{100}, hours{24});
  section.number("min_requests", stage.min_requests, 1, kMostRequests);
  return stage;
}

}  // namespace

CanaryConfig read_canary(Section& app) {
  CanaryConfig to;
  to.analysis = read_analysis(app);
  app.objects("canary", kMostStages,
              "a list of at most " + std::to_string(kMostStages) +
                  " stages, as in [{\"weight\": \"5%\", \"for\": \"5m\"}]",
              "an object", [&to](Section& stage) {
                to.stages.push_back(read_stage(stage, to.analysis.min_requests));
              });
  return to;
}

}  // namespace bluegreen
