// What `bgctl status` knows, gathered once and shown twice: as a table for people and as the
// status document of the contract (schema 1). Reads both regions; changes nothing, locks nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "controller/commands/command.hpp"
#include "controller/ports/regions.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {

// One side of the document: "ok", "missing" or "damaged", and why.
struct RegionView {
  std::string state;
  std::string path;
  std::string reason;
  std::string hint;
};

struct AppView {
  std::string name;
  std::optional<shm::AppSnapshot> snapshot;  // empty: `reason` says what is wrong with its record
  std::string reason;
  std::chrono::milliseconds hold_left{0};  // 0: no hold is in force
  std::optional<ColorFigures> figures[2];  // [color]; empty without telemetry
  std::optional<DetailFigures> details[2];
  ProbeView probes[2];  // [color]
};

struct StatusView {
  RegionView control;
  std::uint64_t control_id = 0;
  RegionView telemetry;
  std::uint32_t live_workers = 0;
  std::uint32_t attached_workers = 0;
  std::uint64_t slotless = 0;  // workers without a slot: figures are not exact
  Prober prober;
  std::vector<AppView> apps;
};

// `target.app`, where named, is the only application looked at.
StatusView look_at(const Target& target);

std::string status_json(const StatusView& view);
std::string status_table(const StatusView& view);

// "fallback", "closed_blue", ...: the flags that are in force, as the document names them.
std::vector<std::string> flag_names(const AppView& app);

}  // namespace bluegreen
