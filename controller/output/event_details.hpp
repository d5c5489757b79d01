// What an event says in figures beside its text, so that a view can draw it: bars of a pull,
// health, how traffic is split and how it fares, what a drain waits for.
//
// One kind an event. In JSON it is the event's "details": {"kind":"pull"|"health"|"traffic"|
// "drain", ...} with the names below, durations in ms or us as the name ends. Colors are their
// words, since output knows no region. Whoever has a figure fills it in; an absent one is 0 or
// empty. Pure data; a document that is not one of these kinds is read as none.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace bluegreen {

// "layers": [{"id","state","current","total"}], "done", "count"
struct PullDetails {
  struct Layer {
    std::string id;
    std::string state;  // the Engine's word: "Downloading", "Pull complete", ...
    std::uint64_t current = 0;
    std::uint64_t total = 0;  // bytes; 0: not known
  };
  std::vector<Layer> layers;  // that are not here yet
  std::uint64_t done = 0;
  std::uint64_t count = 0;  // of all, as far as they are known
};

// "color", "container", "nginx": of the color that is on its way up; an empty word is not known.
struct HealthDetails {
  std::string color;
  std::string container;  // "starting", "healthy", "unhealthy"
  std::string nginx;      // of NGINX's probes: "unknown", "healthy", "unhealthy"
  std::uint64_t endpoints = 0;
  std::uint64_t healthy = 0;  // of these, as NGINX finds them
};

// "colors": [{"color","share_bp","requests","errors","p50_us","p90_us","p99_us"}], "left_ms"
struct TrafficDetails {
  struct Side {
    std::string color;
    std::uint32_t share_bp = 0;  // of the requests, in basis points
    std::uint64_t requests = 0;  // ended, in the window that is judged
    std::uint64_t errors = 0;
    std::uint64_t p50_us = 0;  // 0: not known
    std::uint64_t p90_us = 0;
    std::uint64_t p99_us = 0;
    bool baseline = false;  // an earlier window, not now
  };
  std::vector<Side> sides;
  std::chrono::milliseconds left{0};  // of the stage or the soak; 0: not known
};

// "color", "in_flight", "waited_ms", "left_ms", "oldest_ms", "long_lived"
struct DrainDetails {
  std::string color;
  std::uint64_t in_flight = 0;
  std::chrono::milliseconds waited{0};
  std::chrono::milliseconds left{0};                // until the time-out; 0: not known
  std::optional<std::chrono::milliseconds> oldest;  // age of the longest-running; none: not known
  std::optional<std::uint64_t> long_lived;          // of in_flight, upgraded; none: not known
};

using EventDetails =
    std::variant<std::monostate, PullDetails, HealthDetails, TrafficDetails, DrainDetails>;

// Null for none.
nlohmann::json details_to_json(const EventDetails& details);
EventDetails details_from_json(const nlohmann::json& document);

}  // namespace bluegreen
