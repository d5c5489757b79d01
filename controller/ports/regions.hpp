// The two regions as commands and deploy steps see them.
//
// ControlPort is the only way to change what NGINX routes; its adapter (controller/regions) takes
// the region's writer lock around each change, makes it visible, then durable, and returns when it
// is both. TelemetryPort reads what the workers say and believes none of it without a check.
// Implementations: controller/regions (files), controller/ports/fake_world (tests).
// One thread at a time; every call may fail with ExitCode::kUsage when a region is missing,
// foreign or damaged.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/ports/result.hpp"
#include "shm/control_region.hpp"
#include "shm/telemetry_region.hpp"

namespace bluegreen {

using shm::Color;

// What a color serves: published together, so a reader never sees one release's name with
// another one's addresses.
struct Publication {
  std::string release;
  std::string image;
  std::string deploy_id;
  std::vector<shm::Endpoint> endpoints;  // may be empty: the color has no container
};

class ControlPort {
 public:
  virtual ~ControlPort() = default;

  virtual Result<shm::AppSnapshot> read(const std::string& app) = 0;

  // Fills the color's other table and makes it count. A color that receives a publication is open
  // again.
  virtual Result<std::uint64_t> publish(const std::string& app, Color color,
                                        const Publication& publication) = 0;

  // Makes `color` active with weight 0 and opens it. The new generation; the present one when it
  // is active already.
  virtual Result<std::uint64_t> activate(const std::string& app, Color color) = 0;

  // First half of a drain: weight 0, fallback off, `color` closed. Refused (kUsage) for the active
  // color.
  virtual Result<std::uint64_t> close(const std::string& app, Color color) = 0;
};

// Whether a color's requests have all ended, and how sure that is.
struct DrainView {
  bool exact = false;  // every live worker is attached to this control file and has a slot
  std::string reason;  // why not, when not exact
  std::uint64_t in_flight = 0;
  std::uint32_t live_workers = 0;
};

// Whether a change of the control region is seen by all of NGINX. A worker that obeys this region
// sees each change at once; one that does not yet (the region was made a moment ago) attaches
// within about a second.
struct Attachment {
  std::uint32_t live_workers = 0;
  std::uint32_t attached_workers = 0;
  bool complete() const { return attached_workers == live_workers; }
};

// Sums over all slots, dead owners' counters included.
struct ColorFigures {
  std::uint64_t in_flight = 0;
  std::uint64_t requests = 0;
};

class TelemetryPort {
 public:
  virtual ~TelemetryPort() = default;

  virtual Result<DrainView> drain_view(const std::string& app, Color color,
                                       std::uint64_t control_id) = 0;
  // Nobody alive, or no telemetry: complete, since there is nobody to wait for.
  virtual Attachment attachment(std::uint64_t control_id) = 0;
  virtual Result<ColorFigures> figures(const std::string& app, Color color) = 0;
};

}  // namespace bluegreen
