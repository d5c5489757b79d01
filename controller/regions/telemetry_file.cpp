// See telemetry_file.hpp.
#include "controller/regions/telemetry_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "controller/output/printable.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen {
namespace {

// The fields of a slot's head that are read here, in their place (static_asserted in
// shm/telemetry_region.hpp).
struct SlotHead {
  std::uint32_t state;
  std::uint32_t pid;
  std::uint64_t taken_unix_ns;
  std::uint64_t attached_control;
};

// A color's Counters, as plain numbers: the fields' order is theirs.
struct Gauges {
  std::uint64_t in_flight;
  std::uint64_t requests;
  std::uint64_t responses[5];
  std::uint64_t no_response;
  std::uint64_t tries;
  std::uint64_t failures;
  std::uint64_t withdrawn;
  std::uint64_t waiting;
  std::uint64_t weighted;
  std::uint64_t previews;
  std::uint64_t fallbacks;
  std::uint64_t refused;
};
static_assert(sizeof(Gauges) == sizeof(shm::Counters) &&
              offsetof(Gauges, requests) == offsetof(shm::Counters, requests) &&
              offsetof(Gauges, waiting) == offsetof(shm::Counters, waiting) &&
              offsetof(Gauges, refused) == offsetof(shm::Counters, refused));

bool read_at(int fd, std::uint64_t offset, void* to, std::size_t size) {
  return ::pread(fd, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

// One look at the file. Everything is empty when the file is cut while it is read.
class Look {
 public:
  explicit Look(const std::string& path) : path_(path) {
    error_ = shm::open_region(path.c_str(), O_RDONLY, shm::kTelemetryKind, fd_);
  }

  shm::OpenResult result() const { return error_.result; }
  bool ok() const { return error_.result == shm::OpenResult::kOk; }
  std::string why() const {
    if (path_.empty()) {
      return "no telemetry file is named";
    }
    std::array<char, 256> text{};
    return path_ + ": " + shm::describe(error_, shm::kTelemetryKind, text.data(), text.size());
  }
  std::string cut() const { return path_ + ": it was cut while it was read"; }

  bool header(shm::RegionHeader& out) const { return read_at(fd_.get(), 0, &out, sizeof(out)); }
  std::optional<std::uint64_t> slotless() const {
    std::uint64_t count = 0;
    return read_at(fd_.get(), offsetof(shm::TelemetryRegion, slotless), &count, sizeof(count))
               ? std::optional(count)
               : std::nullopt;
  }

  // The index of an application's name; kMaxApps when NGINX has no upstream for it. Empty: cut.
  std::optional<std::uint32_t> app_index(std::string_view app) const {
    std::vector<char> bytes(sizeof(shm::AppName) * shm::kMaxApps);
    if (!read_at(fd_.get(), offsetof(shm::TelemetryRegion, names), bytes.data(), bytes.size())) {
      return std::nullopt;
    }
    for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
      const char* entry = bytes.data() + i * sizeof(shm::AppName);
      std::uint32_t state = 0;
      char name[shm::kAppNameSize];
      std::memcpy(&state, entry + offsetof(shm::AppName, state), sizeof(state));
      std::memcpy(name, entry + offsetof(shm::AppName, name), sizeof(name));
      if (state == 1 && shm::text_of(name) == app) {
        return i;
      }
    }
    return shm::kMaxApps;
  }

  shm::SlotLife life(std::uint32_t slot) const { return shm::slot_life(fd_.get(), slot); }
  bool head(std::uint32_t slot, SlotHead& out) const {
    return read_at(fd_.get(), shm::slot_offset(slot), &out, sizeof(out));
  }
  bool gauges(std::uint32_t slot, std::uint32_t app, Color color, Gauges& out) const {
    const std::uint64_t offset =
        shm::slot_offset(slot) + offsetof(shm::Slot, counters) +
        (std::uint64_t{app} * 2 + shm::index_of(color)) * sizeof(shm::Counters);
    return read_at(fd_.get(), offset, &out, sizeof(out));
  }

 private:
  const std::string& path_;
  shm::UniqueFd fd_;
  shm::OpenError error_;
};

DrainView inexact(std::string reason) {
  DrainView view;
  view.reason = std::move(reason);
  return view;
}

// Adds a live slot to the view. Why the sum is not exact because of it, or empty.
std::string add_slot(const Look& look, std::uint32_t slot, std::uint32_t app, Color color,
                     std::uint64_t control_id, DrainView& view) {
  SlotHead head{};
  Gauges gauges{};
  // The head first: once it says attached, the gauges below are those of that worker.
  if (!look.head(slot, head) || !look.gauges(slot, app, color, gauges)) {
    return look.cut();
  }
  ++view.live_workers;
  view.in_flight += gauges.in_flight;
  if (head.attached_control == control_id) {
    return {};
  }
  return "NGINX worker " + std::to_string(head.pid) +
         (head.attached_control == 0 ? " has not attached to this control file"
                                     : " obeys another control file");
}

}  // namespace

TelemetryState TelemetryFile::state(std::uint64_t control_id) const {
  TelemetryState state;
  const Look look(path_);
  state.result = look.result();
  if (!look.ok()) {
    state.error = look.why();
    return state;
  }
  shm::RegionHeader header{};
  const auto slotless = look.slotless();
  if (!look.header(header) || !slotless) {
    state.result = shm::OpenResult::kTooShort;
    state.error = look.cut();
    return state;
  }
  state.id = header.id;
  state.created_unix_ns = header.created_unix_ns;
  state.slotless = *slotless;
  for (std::uint32_t slot = 0; slot < shm::kMaxSlots; ++slot) {
    SlotHead head{};
    if (look.life(slot) == shm::SlotLife::kLive && look.head(slot, head)) {
      ++state.live_workers;
      state.attached_workers += head.attached_control == control_id ? 1 : 0;
    }
  }
  return state;
}

Result<DrainView> TelemetryFile::drain_view(const std::string& app, Color color,
                                            std::uint64_t control_id) {
  const Look look(path_);
  if (!look.ok()) {
    return inexact("telemetry cannot be read: " + look.why());
  }
  const auto index = look.app_index(app);
  const auto slotless = look.slotless();
  if (!index || !slotless) {
    return inexact("telemetry cannot be read: " + look.cut());
  }
  if (*index == shm::kMaxApps) {
    return inexact(path_ + ": NGINX has no upstream with `bluegreen " + app + "`");
  }
  DrainView view;
  for (std::uint32_t slot = 0; slot < shm::kMaxSlots; ++slot) {
    // The lock first: what is free now has no requests, whatever its gauges still say.
    const shm::SlotLife life = look.life(slot);
    if (life == shm::SlotLife::kFree) {
      continue;
    }
    const std::string doubt =
        life == shm::SlotLife::kUnknown
            ? "the kernel does not say whether worker slot " + std::to_string(slot) + " is owned"
            : add_slot(look, slot, *index, color, control_id, view);
    if (view.reason.empty()) {
      view.reason = doubt;
    }
  }
  if (view.reason.empty() && *slotless != 0) {
    view.reason = std::to_string(*slotless) + " NGINX workers serve without a telemetry slot";
  }
  if (view.reason.empty() && view.live_workers == 0) {
    view.reason = path_ + ": no NGINX worker is alive";
  }
  view.exact = view.reason.empty();
  return view;
}

Attachment TelemetryFile::attachment(std::uint64_t control_id) {
  const TelemetryState now = state(control_id);
  return {now.live_workers, now.attached_workers};
}

Result<ColorFigures> TelemetryFile::figures(const std::string& app, Color color) {
  const Look look(path_);
  if (!look.ok()) {
    return fail(ExitCode::kUsage, look.why());
  }
  const auto index = look.app_index(app);
  ColorFigures figures;
  if (index && *index == shm::kMaxApps) {
    return figures;
  }
  for (std::uint32_t slot = 0; index && slot < shm::kMaxSlots; ++slot) {
    Gauges gauges{};
    const shm::SlotLife life = look.life(slot);
    if (!look.gauges(slot, *index, color, gauges)) {
      return fail(ExitCode::kUsage, look.cut());
    }
    figures.requests += gauges.requests;
    figures.weighted += gauges.weighted;
    figures.previews += gauges.previews;
    figures.fallbacks += gauges.fallbacks;
    figures.refused += gauges.refused;
    if (life != shm::SlotLife::kFree) {
      figures.in_flight += gauges.in_flight;
      figures.waiting += gauges.waiting;
    }
  }
  return index ? Result<ColorFigures>(figures) : fail(ExitCode::kUsage, look.cut());
}

}  // namespace bluegreen
