// See the header.
#include "controller/compose/health_gate.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace bluegreen {
namespace {

using nlohmann::json;
using State = HealthVerdict::State;

HealthVerdict judge_one(const ContainerFacts& container) {
  const auto verdict = [&container](State state, const std::string& text) {
    return HealthVerdict{state, fmt::format("container {} {}", container.name, text), container.id};
  };
  if (container.out_of_memory) {
    return verdict(State::kFailed, "was killed: it ran out of memory");
  }
  if (container.status == "exited" || container.status == "dead" ||
      container.status == "restarting") {
    return verdict(State::kFailed,
                   fmt::format("exited with {}{}", container.exit_code,
                               container.error.empty() ? "" : " (" + container.error + ")"));
  }
  if (container.restarts > 0) {
    return verdict(State::kFailed,
                   fmt::format("died and was restarted {} times", container.restarts));
  }
  if (!container.running) {
    return verdict(State::kWaiting, "is " + container.status);
  }
  if (container.health == "healthy") {
    return verdict(State::kHealthy, "is healthy");
  }
  if (container.health == "none") {
    return verdict(State::kFailed, "has no health check: nothing says when it can serve");
  }
  const std::string last = container.health_output.empty()
                               ? std::string()
                               : "; the last check said: " + container.health_output;
  return container.health == "unhealthy" ? verdict(State::kFailed, "is unhealthy" + last)
                                         : verdict(State::kWaiting, "is not healthy yet" + last);
}

}  // namespace

HealthVerdict judge_health(const std::vector<ContainerFacts>& containers) {
  if (containers.empty()) {
    return {State::kFailed, "the service has no container", {}};
  }
  HealthVerdict out{State::kHealthy, {}, {}};
  for (const ContainerFacts& container : containers) {
    HealthVerdict one = judge_one(container);
    if (one.state == State::kFailed) {
      return one;
    }
    if (one.state == State::kWaiting) {
      out = std::move(one);
    }
  }
  return out;
}

std::optional<std::string> exit_code_of_event(const std::string& event_json) {
  try {
    const json event = json::parse(event_json);
    if (event.at("Action") != "die") {
      return std::nullopt;
    }
    return event.at("Actor").at("Attributes").at("exitCode").get<std::string>();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace bluegreen
