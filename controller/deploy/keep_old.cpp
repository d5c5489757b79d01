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

bool is_superseded(const shm::AppSnapshot& now, const Leftover& left) {
  return now.route.active == left.color || !now.route.closed(left.color) ||
         now.tables[shm::index_of(left.color)].generation != left.table_generation;
}

Result<LeftoverEnd> stop_leftover(ControlPort& control, TelemetryPort& telemetry, Runtime& runtime,
                                  std::uint64_t control_id, const Leftover& left, bool may_cut) {
  auto now = control.read(left.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (is_superseded(*now, left)) {
    return LeftoverEnd::kChanged;
  }
  auto running = runtime.observe(left.color);
  if (!running) {
    return tl::unexpected(running.error());
  }
  if (!same_instances(*running, left.identities)) {
    return LeftoverEnd::kChanged;
  }
  // What was changed meanwhile may have opened and closed it again: requests may be on it anew.
  bool empty = true;
  if (left.only_drained || now->generation != left.generation) {
    auto view = telemetry.drain_view(left.app, left.color, control_id);
    empty = view && view->exact && view->in_flight == 0;
    if (!empty && (left.only_drained || !may_cut)) {
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
  return empty ? LeftoverEnd::kStopped : LeftoverEnd::kCut;
}

}  // namespace bluegreen
