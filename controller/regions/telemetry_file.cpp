// See telemetry_file.hpp.
#include "controller/regions/telemetry_file.hpp"

#include <string>

#include "controller/regions/telemetry_look.hpp"

namespace bluegreen {
namespace {

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
    for (std::size_t i = 0; i < figures.responses.size(); ++i) {
      figures.responses[i] += gauges.responses[i];
    }
    figures.no_response += gauges.no_response;
    figures.tries += gauges.tries;
    figures.failures += gauges.failures;
    if (life != shm::SlotLife::kFree) {
      figures.in_flight += gauges.in_flight;
      figures.waiting += gauges.waiting;
    }
  }
  return index ? Result<ColorFigures>(figures) : fail(ExitCode::kUsage, look.cut());
}

}  // namespace bluegreen
