// The two regions as commands and deploy steps see them.
//
// ControlPort is the only way to change what NGINX routes; its adapter (controller/regions) takes
// the region's writer lock around each change, makes it visible, then durable, and returns when it
// is both. TelemetryPort reads what the workers say and believes none of it without a check.
// Implementations: controller/regions (files), controller/ports/fake_world (tests).
// One thread at a time; every call may fail with ExitCode::kUsage when a region is missing,
// foreign or damaged.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/ports/result.hpp"
#include "shm/control_region.hpp"
#include "shm/health_word.hpp"
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

// What one word says of an application besides its tables and its generation: handed to an edit as
// it is, stored as the edit leaves it.
struct RouteState {
  shm::Route route;      // with the hold flag only while its ticket counts
  shm::HoldTicket hold;  // of no meaning without that flag
};
using RouteEdit = std::function<Result<void>(RouteState&)>;

inline constexpr std::chrono::milliseconds kLongestHold{shm::kMaxHoldNs / 1'000'000};

class ControlPort {
 public:
  virtual ~ControlPort() = default;

  virtual Result<shm::AppSnapshot> read(const std::string& app) = 0;

  // Fills the color's other table and makes it count. A color that receives a publication is open
  // again.
  virtual Result<std::uint64_t> publish(const std::string& app, Color color,
                                        const Publication& publication) = 0;

  // Stores what `edit` makes of the present state, in one word; the new generation, or the present
  // one when the edit changes nothing. `what` names it, as in "activate green". A hold that is in
  // force goes on through every change (publish too) that does not end it; one whose time is over
  // is gone from the next word.
  virtual Result<std::uint64_t> change(const std::string& app, const std::string& what,
                                       const RouteEdit& edit) = 0;
  // A hold's ticket that counts from now on for that time, at most kLongestHold.
  virtual Result<shm::HoldTicket> ticket(std::chrono::milliseconds length) = 0;
  // How long a ticket still counts; 0 when it does not.
  virtual std::chrono::nanoseconds left_of(const shm::HoldTicket& ticket) = 0;

  // --- what is made of these, in route_changes.cpp

  // In an edit: new requests wait until the ticket's end, or for as long as they would have waited
  // anyway.
  void prolong(RouteState& state, const shm::HoldTicket& ticket);
  // The rest of the hold that is in force; 0 when none is.
  std::chrono::nanoseconds hold_left(const shm::AppSnapshot& now);

  // Makes `color` active with weight 0 and opens it; whether requests may fall back to the other
  // one as given. A hold and maintenance stay.
  Result<std::uint64_t> activate(const std::string& app, Color color, bool fallback = false);
  // First half of a drain: weight 0, fallback off, `color` closed. Refused (kUsage) for the active
  // color.
  Result<std::uint64_t> close(const std::string& app, Color color);
  // The share of the color that is not active; anything above 0 opens it. Refused (kUsage) above
  // 10000.
  Result<std::uint64_t> set_weight(const std::string& app, std::uint32_t basis_points);
  Result<std::uint64_t> set_maintenance(const std::string& app, bool on);
  // New requests wait from now on, for `length` (prolong).
  Result<std::uint64_t> hold(const std::string& app, std::chrono::milliseconds length);
  Result<std::uint64_t> release(const std::string& app);

 protected:
  // For `change`: what an edit gets, and whether what it left is what is stored already.
  RouteState state_of(const shm::AppSnapshot& now);
  static bool is_as_stored(const shm::AppSnapshot& now, const RouteState& state);
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

// Gauges summed over live slots, counters over all of them, dead owners' included. The names are
// those of the status document.
struct ColorFigures {
  std::uint64_t in_flight = 0;  // gauge
  std::uint64_t waiting = 0;    // gauge: held, came while this color was active
  std::uint64_t requests = 0;
  std::uint64_t weighted = 0;   // of these, by the weight
  std::uint64_t previews = 0;   // of these, by a preview's secret
  std::uint64_t fallbacks = 0;  // of these, because the other color could not be reached
  std::uint64_t refused = 0;    // answered 503 by NGINX: hold, maintenance, no color
  std::array<std::uint64_t, 5> responses{};  // ended, by class of the status: 1xx to 5xx
  std::uint64_t no_response = 0;             // ended without a status
  std::uint64_t tries = 0;                   // connections asked for
  std::uint64_t failures = 0;                // of these, failed
};

// What a verdict on a color is made of: all of it counters, which begin at 0 again when the
// telemetry gets another id. Whether an error or a time was a preview's is not kept.
struct TrafficFigures {
  std::uint64_t telemetry_id = 0;
  ColorFigures counts;
  // Answers by the time from a try's begin to the end of the answer's header, counted in the
  // buckets of shm/histogram.hpp; empty when this NGINX keeps none.
  std::vector<std::uint64_t> latency;
};

// What NGINX's probes have found out about one endpoint of a table.
struct EndpointHealth {
  bool known = false;  // there is a record of exactly this endpoint, of exactly this table
  shm::Health health = shm::Health::kUnknown;
  std::uint64_t since_unix_ns = 0;  // 0, as all that follows, when the details are not known
  std::uint64_t checked_unix_ns = 0;
  std::uint64_t probes = 0;
  std::uint64_t failures = 0;
  std::uint32_t latency_us = 0;
  std::uint16_t status = 0;
  std::string last_error;  // as it was written: printable() before it is shown
};

// Who probes, by the lease.
struct Prober {
  bool has_lease = false;  // of a worker that lives
  std::uint32_t epoch = 0;
  std::uint32_t pid = 0;  // for people
  std::chrono::milliseconds renewed_ago{0};
};

struct ProbeView {
  bool readable = false;  // there is a second part that has a place for the application
  std::string reason;     // why not
  Prober prober;
  bool probed = false;  // the holder of the lease has written something about the application
  std::vector<EndpointHealth> endpoints;  // of the table that was asked about, in its order
};

class TelemetryPort {
 public:
  virtual ~TelemetryPort() = default;

  virtual Result<DrainView> drain_view(const std::string& app, Color color,
                                       std::uint64_t control_id) = 0;
  // Nobody alive, or no telemetry: complete, since there is nobody to wait for.
  virtual Attachment attachment(std::uint64_t control_id) = 0;
  virtual Result<ColorFigures> figures(const std::string& app, Color color) = 0;
  virtual Result<TrafficFigures> traffic(const std::string& app, Color color) = 0;
  // `table`: the one in force of that color. What is not known is unknown; nothing fails.
  virtual ProbeView probes(const std::string& app, Color color,
                           const shm::EndpointTable& table) = 0;
};

}  // namespace bluegreen
