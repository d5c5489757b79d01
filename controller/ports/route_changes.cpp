// The changes of a route that commands and deploy steps ask for, each one edit of one word, the
// same over the real file and over the fake world. Errors are those of ControlPort::change, and
// kUsage for what must not be asked.
#include <cstring>

#include "controller/ports/regions.hpp"

namespace bluegreen {
namespace {

void set(shm::Route& route, std::uint8_t flag, bool on) {
  route.flags = static_cast<std::uint8_t>(on ? route.flags | flag : route.flags & ~flag);
}

std::string named(const char* verb, Color color) {
  return std::string(verb) + " " + std::string(shm::name_of(color));
}

}  // namespace

std::chrono::nanoseconds ControlPort::hold_left(const shm::AppSnapshot& now) {
  return now.route.has(shm::kHold) ? left_of(now.hold) : std::chrono::nanoseconds{0};
}

RouteState ControlPort::state_of(const shm::AppSnapshot& now) {
  RouteState state{now.route, now.hold};
  set(state.route, shm::kHold, hold_left(now).count() > 0);
  return state;
}

void ControlPort::prolong(RouteState& state, const shm::HoldTicket& ticket) {
  if (!state.route.has(shm::kHold) || left_of(state.hold) < left_of(ticket)) {
    state.hold = ticket;
  }
  set(state.route, shm::kHold, true);
}

bool ControlPort::is_as_stored(const shm::AppSnapshot& now, const RouteState& state) {
  const shm::Route& a = now.route;
  const shm::Route& b = state.route;
  return a.active == b.active && a.weight == b.weight && a.flags == b.flags &&
         a.table[0] == b.table[0] && a.table[1] == b.table[1] &&
         (!b.has(shm::kHold) || std::memcmp(&now.hold, &state.hold, sizeof(now.hold)) == 0);
}

Result<std::uint64_t> ControlPort::activate(const std::string& app, Color color, bool fallback) {
  return change(app, named("activate", color), [=](RouteState& state) -> Result<void> {
    state.route.active = color;
    state.route.weight = 0;
    set(state.route, shm::closed_flag(color), false);
    set(state.route, shm::kFallback, fallback);
    return {};
  });
}

Result<std::uint64_t> ControlPort::close(const std::string& app, Color color) {
  return change(app, named("close", color), [&](RouteState& state) -> Result<void> {
    if (state.route.active == color) {
      return fail(ExitCode::kUsage,
                  "application " + app + ": " + std::string(shm::name_of(color)) +
                      " is active and cannot be drained",
                  "switch to " + std::string(shm::name_of(shm::other(color))) + " first");
    }
    state.route.weight = 0;
    set(state.route, shm::kFallback, false);
    set(state.route, shm::closed_flag(color), true);
    return {};
  });
}

Result<std::uint64_t> ControlPort::set_weight(const std::string& app, std::uint32_t basis_points) {
  const std::string what = "weight " + std::to_string(basis_points);
  return change(app, what, [&](RouteState& state) -> Result<void> {
    if (basis_points > shm::kMaxWeight) {
      return fail(ExitCode::kUsage, "application " + app + ": weight: expected 0 to " +
                                        std::to_string(shm::kMaxWeight) + " basis points, found " +
                                        std::to_string(basis_points));
    }
    state.route.weight = static_cast<std::uint16_t>(basis_points);
    if (basis_points != 0) {
      set(state.route, shm::closed_flag(shm::other(state.route.active)), false);
    }
    return {};
  });
}

Result<std::uint64_t> ControlPort::set_maintenance(const std::string& app, bool on) {
  const std::string what = on ? "maintenance on" : "maintenance off";
  return change(app, what, [=](RouteState& state) -> Result<void> {
    set(state.route, shm::kMaintenance, on);
    return {};
  });
}

Result<std::uint64_t> ControlPort::hold(const std::string& app, std::chrono::milliseconds length) {
  return change(app, "hold", [&](RouteState& state) -> Result<void> {
    const auto wanted = ticket(length);
    if (!wanted) {
      return tl::unexpected(wanted.error());
    }
    prolong(state, *wanted);
    return {};
  });
}

Result<std::uint64_t> ControlPort::release(const std::string& app) {
  return change(app, "release", [](RouteState& state) -> Result<void> {
    set(state.route, shm::kHold, false);
    return {};
  });
}

}  // namespace bluegreen
