// See target.hpp.
#include "controller/commands/target.hpp"

#include "controller/deploy/attach_wait.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/output/printable.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

Result<std::string> app_of(const Target& target, const ControlFile& control) {
  if (!target.app.empty()) {
    return target.app;
  }
  const std::vector<std::string> apps = control.apps();
  if (apps.size() == 1) {
    return apps.front();
  }
  std::string names;
  for (const std::string& app : apps) {
    names += (names.empty() ? "" : ", ") + app;
  }
  return fail(ExitCode::kUsage,
              target.control + ": expected --app NAME: the region has " +
                  (apps.empty() ? "no application" : "several applications (" + names + ")"),
              apps.empty() ? "add one with `bgctl init --app NAME`" : "");
}

}  // namespace

Result<LockedApp> lock_app(CommandContext& context, const std::string& command) {
  auto target = context.target();
  if (!target) {
    return tl::unexpected(target.error());
  }
  auto control = ControlFile::open(target->control, ControlAccess::kChange, target->run_dir);
  if (!control) {
    return tl::unexpected(control.error());
  }
  const auto app = app_of(*target, **control);
  if (!app) {
    return tl::unexpected(app.error());
  }
  target->app = *app;
  // Before the lock: an application that is not there gets no lock file.
  if (const auto known = (*control)->read(*app); !known) {
    return tl::unexpected(known.error());
  }
  auto lock = HostLock::acquire(target->run_dir, app_lock_name((*control)->id(), *app),
                                "application " + *app, LockHolder{0, command, {}, {}});
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto ended = end_left_hold(*lock, **control, *app, context.events()); !ended) {
    return tl::unexpected(ended.error());
  }
  return LockedApp{std::move(*target), std::move(*lock), std::move(*control)};
}

Result<void> end_left_hold(HostLock& lock, ControlPort& control, const std::string& app,
                           EventSink& events) {
  if (lock.interrupted() != kSwitchHoldWork) {
    lock.settled();
    return {};
  }
  const auto now = control.read(app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const bool held = control.hold_left(*now).count() > 0;
  if (const auto released = control.release(app); !released) {
    return tl::unexpected(released.error());
  }
  lock.settled();
  if (held) {
    events.emit({std::chrono::system_clock::now(), "release", StepState::kProgress,
                 "a `switch --hold` that was killed had left requests waiting; they go to " +
                     std::string(shm::name_of(now->route.active)),
                 milliseconds{0}});
  }
  return {};
}

Result<Color> parse_color(const std::string& text) {
  for (const Color color : shm::kColors) {
    if (text == shm::name_of(color)) {
      return color;
    }
  }
  return fail(ExitCode::kUsage, "COLOR: expected blue or green, found \"" + printable(text) + "\"");
}

Result<void> something_serves(const shm::AppSnapshot& now, const std::string& app, Color color) {
  const shm::EndpointTable& table = now.tables[shm::index_of(color)];
  const shm::EndpointTable& other = now.tables[shm::index_of(shm::other(color))];
  if (table.count > 0 || (!shm::is_published(table) && other.count == 0)) {
    return {};
  }
  const std::string name(shm::name_of(color));
  return fail(ExitCode::kUsage,
              "application " + app + ": no endpoint of " + name + " is published, nothing would " +
                  "answer; " + std::string(shm::name_of(now.route.active)) + " goes on serving",
              "deploy to it first, or insist with --force");
}

Result<void> somebody_is_well(const LockedApp& locked, const shm::AppSnapshot& now, Color color) {
  TelemetryFile telemetry(locked.target.telemetry);
  const shm::EndpointTable& table = now.tables[shm::index_of(color)];
  const ProbeView view = telemetry.probes(locked.target.app, color, table);
  std::string first;
  for (std::size_t i = 0; i < view.endpoints.size(); ++i) {
    const EndpointHealth& found = view.endpoints[i];
    if (found.health != shm::Health::kUnhealthy) {
      return {};
    }
    if (first.empty()) {
      char address[shm::kEndpointTextSize];
      shm::format_endpoint(table.endpoints[i], address);
      first = printable(address) +
              (found.last_error.empty() ? " is unhealthy" : ": " + printable(found.last_error));
    }
  }
  if (first.empty()) {
    return {};  // no table: the bluegreen_server lines count, which only NGINX knows
  }
  return fail(ExitCode::kNotHealthy,
              "application " + locked.target.app + ": NGINX's probes find every endpoint of " +
                  std::string(shm::name_of(color)) + " unhealthy (" + first + "); " +
                  std::string(shm::name_of(now.route.active)) + " goes on serving",
              "see `bgctl status`, or insist with --force");
}

std::string describe_release(const shm::EndpointTable& table) {
  const std::string_view release = shm::text_of(table.release);
  return !shm::is_published(table) ? "nothing published, bluegreen_server lines count"
         : release.empty()         ? "a release without a name"
                                   : "release " + printable(release);
}

Verdict verdict_about(const std::string& command, const std::string& app,
                      const shm::AppSnapshot& now) {
  const shm::EndpointTable& active = now.tables[shm::index_of(now.route.active)];
  Verdict verdict;
  verdict.command = command;
  verdict.app = app;
  verdict.active = shm::name_of(now.route.active);
  verdict.release = shm::text_of(active.release);
  verdict.image = shm::text_of(active.image);
  return verdict;
}

void add_attach_doubt(const LockedApp& locked, Verdict& verdict) {
  TelemetryFile telemetry(locked.target.telemetry);
  SystemClock clock;
  const std::string doubt = wait_attached(telemetry, clock, locked.control->id());
  if (!doubt.empty()) {
    verdict.headline += ", but " + doubt;
    verdict.hint = "see that NGINX's bluegreen_control is " + locked.target.control +
                   " and that its folder, not the file, is mounted; `bgctl doctor` says more";
  }
}

}  // namespace bluegreen
