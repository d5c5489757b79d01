// The keys `canary` and `analysis` of an application: in which stages a new release gets its share
// of the traffic, and by which figures it is judged there and in the soak. What the figures mean is
// in docs/canary.md; who judges by them is controller/canary.
//
// Read by config.cpp; shares are basis points, as everywhere behind the configuration.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace bluegreen {

namespace detail {
class Section;
}

struct CanaryStage {
  std::uint32_t weight = 0;  // basis points, 1 to 10000
  std::chrono::milliseconds length{0};
  std::uint32_t min_requests = 0;
};

// What is decided when a stage ends and has not seen enough requests to tell.
enum class NotEnough : std::uint8_t { kPass, kFail };

struct AnalysisConfig {
  std::uint32_t confidence = 9'900;             // of a verdict "worse", basis points
  std::uint32_t min_requests = 50;              // of the soak, and of stages that name none
  std::uint32_t error_tolerance = 10;           // so much worse is not worse, basis points
  std::uint32_t latency_tolerance = 2'000;      // the same of a quantile, of the old one
  std::chrono::milliseconds latency_slack{10};  // and beside that
  std::optional<std::uint32_t> max_error_rate;  // basis points; none: no limit
  std::array<std::chrono::milliseconds, 3> max_latency{};  // p50, p90, p99; 0: no limit
  NotEnough not_enough = NotEnough::kPass;
};

struct CanaryConfig {
  std::vector<CanaryStage> stages;  // none: straight to the flip
  AnalysisConfig analysis;
};

CanaryConfig read_canary(detail::Section& app);

}  // namespace bluegreen
