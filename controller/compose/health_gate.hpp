// Whether a service's containers, as they were just inspected, are healthy, may get healthy, or
// have failed. Pure; called by ComposeRuntime after each wake-up.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/docker/engine_client.hpp"

namespace bluegreen {

struct HealthVerdict {
  enum class State { kHealthy, kWaiting, kFailed };
  State state = State::kWaiting;
  std::string reason;     // of waiting or failure
  std::string container;  // id of the one with that reason
};

// A restart counts as a death: `restart: unless-stopped` would else hide a program that crashes.
HealthVerdict judge_health(const std::vector<ContainerFacts>& containers);

// The exit code in a `die` event of the Engine; empty for other events.
std::optional<std::string> exit_code_of_event(const std::string& event_json);

}  // namespace bluegreen
