// TelemetryPort over the real file: what NGINX's workers say (shm/telemetry_region.hpp).
//
// Opens the file anew at each call, by pread and never by mapping, so that a file which NGINX
// replaces, or somebody cuts, is seen as it is and faults nobody. Whether a slot's owner lives is
// asked of the kernel (shm/worker_slots.hpp) before the slot is read. Nothing read is used as an
// index or a length without a check.
//
// A file that is missing or damaged is no error of drain_view: it is the reason why a drain cannot
// be proven. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/ports/regions.hpp"
#include "shm/event_ring.hpp"
#include "shm/region_file.hpp"

namespace bluegreen {

struct TelemetryState {
  shm::OpenResult result = shm::OpenResult::kOk;
  std::string error;  // empty when it can be read
  std::uint64_t id = 0;
  std::uint64_t created_unix_ns = 0;
  std::uint32_t live_workers = 0;
  std::uint32_t attached_workers = 0;  // live, and obeying the control region asked about
  std::uint64_t slotless = 0;
};

// A distribution, added up.
struct LatencyFigures {
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;
  std::vector<std::uint64_t> buckets;  // kBuckets of them

  // The value below which this share of them lies, in per mille; 0 without any.
  std::uint64_t quantile_us(std::uint32_t per_mille) const;
};

struct DetailFigures {
  std::uint64_t connect_errors = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t other_errors = 0;
  std::uint64_t retries = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  LatencyFigures connect;
  LatencyFigures first_byte;
  LatencyFigures total;
};

class TelemetryFile : public TelemetryPort {
 public:
  explicit TelemetryFile(std::string path) : path_(std::move(path)) {}

  // For status and doctor.
  TelemetryState state(std::uint64_t control_id) const;

  Result<DrainView> drain_view(const std::string& app, Color color,
                               std::uint64_t control_id) override;
  Attachment attachment(std::uint64_t control_id) override;
  Result<ColorFigures> figures(const std::string& app, Color color) override;
  Result<TrafficFigures> traffic(const std::string& app, Color color) override;
  ProbeView probes(const std::string& app, Color color, const shm::EndpointTable& table) override;

  // The second part's figures (shm/telemetry_detail.hpp), summed over all slots that were ever
  // used. Empty when there is no such part.
  std::optional<DetailFigures> detail_figures(const std::string& app, Color color) const;
  Prober prober() const;
  // The last things that happened, newest first, at most `count`; those that are not whole are left
  // out.
  std::vector<shm::Event> events(std::size_t count) const;
  // An application's name by its index in this file, as events have it; empty: none.
  std::string app_name(std::uint32_t index) const;

 private:
  std::string path_;
};

}  // namespace bluegreen
