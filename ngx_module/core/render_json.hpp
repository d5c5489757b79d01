// The status document, schema 1 (the contract's shape), from a model that glue fills.
//
// Called by the status handler, in a worker. Pure; it reads nothing but the model, and cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ngx_module/core/bounded_writer.hpp"
#include "ngx_module/core/figures.hpp"
#include "ngx_module/core/traffic.hpp"
#include "shm/endpoint.hpp"
#include "shm/route_word.hpp"
#include "shm/telemetry_detail.hpp"

namespace bluegreen::core {

struct FlagName {
  shm::RouteFlag flag;
  std::string_view name;
};

inline constexpr FlagName kFlagNames[] = {
    {shm::kFallback, "fallback"},        {shm::kHold, "hold"},
    {shm::kMaintenance, "maintenance"},  {shm::kClosedBlue, "closed_blue"},
    {shm::kClosedGreen, "closed_green"},
};

// Of a probed endpoint, what several metrics show.
struct Probed {
  std::uint64_t probes = 0;
  std::uint64_t failures = 0;
  std::uint32_t latency_us = 0;
  bool known = false;
};

struct ColorStatus {
  std::string_view release;
  Figures figures;
  std::uint64_t since_unix_ns = 0;  // publication, or the configuration's start
  const shm::Endpoint* endpoints = nullptr;
  std::uint32_t count = 0;
  const shm::HealthRecord* health = nullptr;  // by place in the table; nullptr: nothing is known
  const std::uint64_t* tags = nullptr;        // of the endpoints; there when `health` is
  Traffic traffic;
  Probed probed[shm::kMaxEndpoints] = {};  // once they were noted
};

struct AppStatus {
  std::string_view name;
  std::string_view source;  // region, mirror, defaults, nothing
  shm::Route route;
  std::uint64_t generation = 0;
  std::uint64_t flipped_unix_ns = 0;  // when `active` last became another one; 0: not known
  std::uint64_t hold_left_ms = 0;     // 0: no hold that counts
  ColorStatus colors[2];
};

struct StatusHead {
  std::string_view control_state;
  std::string_view control_path;
  std::string_view control_reason;  // empty when ok
  std::string_view telemetry_state;
  std::string_view telemetry_path;
  bool inexact = false;
  std::uint32_t live_workers = 0;
  std::uint32_t attached_workers = 0;
  std::uint64_t now_unix_ns = 0;      // when the document was made
  std::uint64_t started_unix_ns = 0;  // the configuration's begin
  std::uint64_t instance = 0;         // the telemetry region's id; 0 without one
  std::uint32_t prober_pid = 0;       // 0: nobody probes
  std::uint32_t prober_epoch = 0;
  const shm::EventRing* events = nullptr;
};

// Reads each endpoint's detail once; render_metrics shows no others.
void note_probed(ColorStatus& color) noexcept;

void render_head(BoundedWriter& out, const StatusHead& head) noexcept;
// What is known about the endpoint at a place of the table; false: nothing.
bool endpoint_detail(const ColorStatus& color, std::uint32_t place,
                     shm::HealthDetail& out) noexcept;
shm::Health endpoint_health(const ColorStatus& color, std::uint32_t place) noexcept;

// `first`: no comma before it.
void render_app(BoundedWriter& out, const AppStatus& app, bool first) noexcept;
// `names`: of the applications by their index in the telemetry region.
void render_tail(BoundedWriter& out, const StatusHead& head,
                 const std::string_view (&names)[shm::kMaxApps]) noexcept;
// RFC 3339 in UTC, whole seconds.
void render_time(BoundedWriter& out, std::uint64_t unix_ns) noexcept;
// The same with milliseconds.
void render_instant(BoundedWriter& out, std::uint64_t unix_ns) noexcept;

}  // namespace bluegreen::core
