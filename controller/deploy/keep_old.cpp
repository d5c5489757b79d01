// See keep_old.hpp.
#include "controller/deploy/keep_old.hpp"

#include "controller/deploy/steps/color.hpp"

namespace bluegreen {

namespace {

bool same_instances(const std::vector<Instance>& running,
                    const std::vector<std::uint64_t>& identities) {
  if (running.size() != identities.size()) {
    return false;
  }
  for (std::size_t i = 0; i < running.size(); ++i) {
    if (running[i].identity != identities[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<LeftoverEnd> stop_leftover(ControlPort& control, TelemetryPort& telemetry, Runtime& runtime,
                                  std::uint64_t control_id, const Leftover& left) {
  auto now = control.read(left.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (now->generation != left.generation || now->route.active == left.color) {
    return LeftoverEnd::kChanged;
  }
  auto running = runtime.observe(left.color);
  if (!running) {
    return tl::unexpected(running.error());
  }
  if (!same_instances(*running, left.identities)) {
    return LeftoverEnd::kChanged;
  }
  if (left.only_drained) {
    auto view = telemetry.drain_view(left.app, left.color, control_id);
    if (!view || !view->exact || view->in_flight != 0) {
      return LeftoverEnd::kNotDrained;
    }
  }
  auto stopped = runtime.stop(left.color);
  if (!stopped) {
    return tl::unexpected(stopped.error());
  }
  auto withdrawn = withdraw_endpoints(control, left.app, left.color,
                                      labels_of(now->tables[shm::index_of(left.color)]));
  if (!withdrawn) {
    return tl::unexpected(withdrawn.error());
  }
  return LeftoverEnd::kStopped;
}

}  // namespace bluegreen
