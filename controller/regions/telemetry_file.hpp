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

#include <string>

#include "controller/ports/regions.hpp"
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

class TelemetryFile : public TelemetryPort {
 public:
  explicit TelemetryFile(std::string path) : path_(std::move(path)) {}

  // For status and doctor.
  TelemetryState state(std::uint64_t control_id) const;

  Result<DrainView> drain_view(const std::string& app, Color color,
                               std::uint64_t control_id) override;
  Attachment attachment(std::uint64_t control_id) override;
  Result<ColorFigures> figures(const std::string& app, Color color) override;

 private:
  std::string path_;
};

}  // namespace bluegreen
