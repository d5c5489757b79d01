// See event_details.hpp.
#include "controller/output/event_details.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/ports/json_fields.hpp"
namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// Longer than any day's deploy, short enough that no sum of moments overflows.
constexpr std::int64_t kLongestMs = std::int64_t{1} << 40;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::uint64_t count_in(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

milliseconds time_in(const json& document, const char* key) {
  const auto found = document.find(key);
  return milliseconds(found != document.end() && found->is_number_integer()
                          ? std::clamp(found->get<std::int64_t>(), std::int64_t{0}, kLongestMs)
                          : 0);
}

bool is_true_in(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_boolean() && found->get<bool>();
}

template <class Entry>
void for_each_object(const json& document, const char* key, const Entry& take) {
  const auto found = document.find(key);
  if (found == document.end() || !found->is_array()) {
    return;
  }
  for (const json& entry : *found) {
    if (entry.is_object()) {
      take(entry);
    }
  }
}

json json_of(const PullDetails& pull) {
  json layers = json::array();
  for (const PullDetails::Layer& layer : pull.layers) {
    layers.push_back({{"id", layer.id},
                      {"state", layer.state},
                      {"current", layer.current},
                      {"total", layer.total}});
  }
  return {
      {"kind", "pull"}, {"layers", std::move(layers)}, {"done", pull.done}, {"count", pull.count}};
}

json json_of(const HealthDetails& health) {
  return {{"kind", "health"},      {"color", health.color},         {"container", health.container},
          {"nginx", health.nginx}, {"endpoints", health.endpoints}, {"healthy", health.healthy}};
}

json json_of(const TrafficDetails& traffic) {
  json sides = json::array();
  for (const TrafficDetails::Side& side : traffic.sides) {
    sides.push_back({{"color", side.color},
                     {"share_bp", side.share_bp},
                     {"requests", side.requests},
                     {"errors", side.errors},
                     {"p50_us", side.p50_us},
                     {"p90_us", side.p90_us},
                     {"p99_us", side.p99_us},
                     {"baseline", side.baseline}});
  }
  return {{"kind", "traffic"}, {"colors", std::move(sides)}, {"left_ms", traffic.left.count()}};
}

json json_of(const DrainDetails& drain) {
  json document = {{"kind", "drain"},
                   {"color", drain.color},
                   {"in_flight", drain.in_flight},
                   {"waited_ms", drain.waited.count()},
                   {"left_ms", drain.left.count()}};
  if (drain.oldest) {
    document["oldest_ms"] = drain.oldest->count();
  }
  if (drain.long_lived) {
    document["long_lived"] = *drain.long_lived;
  }
  return document;
}

PullDetails pull_from(const json& document) {
  PullDetails pull;
  for_each_object(document, "layers", [&pull](const json& layer) {
    pull.layers.push_back({text_at(layer, "id"), text_at(layer, "state"),
                           count_in(layer, "current"), count_in(layer, "total")});
  });
  pull.done = count_in(document, "done");
  pull.count = count_in(document, "count");
  return pull;
}

TrafficDetails traffic_from(const json& document) {
  TrafficDetails traffic;
  for_each_object(document, "colors", [&traffic](const json& side) {
    constexpr std::uint64_t kWhole = 10'000;
    traffic.sides.push_back(
        {text_at(side, "color"),
         static_cast<std::uint32_t>(std::min(count_in(side, "share_bp"), kWhole)),
         count_in(side, "requests"), count_in(side, "errors"), count_in(side, "p50_us"),
         count_in(side, "p90_us"), count_in(side, "p99_us"), is_true_in(side, "baseline")});
  });
  traffic.left = time_in(document, "left_ms");
  return traffic;
}

DrainDetails drain_from(const json& document) {
  DrainDetails drain{text_at(document, "color"),
                     count_in(document, "in_flight"),
                     time_in(document, "waited_ms"),
                     time_in(document, "left_ms"),
                     {},
                     {}};
  if (document.contains("oldest_ms")) {
    drain.oldest = time_in(document, "oldest_ms");
  }
  if (document.contains("long_lived")) {
    drain.long_lived = count_in(document, "long_lived");
  }
  return drain;
}

}  // namespace

json details_to_json(const EventDetails& details) {
  return std::visit(Overloaded{[](std::monostate) { return json(); },
                               [](const auto& kind) { return json_of(kind); }},
                    details);
}

EventDetails details_from_json(const json& document) {
  if (!document.is_object()) {
    return {};
  }
  const std::string kind = text_at(document, "kind");
  if (kind == "pull") {
    return pull_from(document);
  }
  if (kind == "traffic") {
    return traffic_from(document);
  }
  if (kind == "drain") {
    return drain_from(document);
  }
  if (kind == "health") {
    return HealthDetails{text_at(document, "color"), text_at(document, "container"),
                         text_at(document, "nginx"), count_in(document, "endpoints"),
                         count_in(document, "healthy")};
  }
  return {};
}

}  // namespace bluegreen
