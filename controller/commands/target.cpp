// See target.hpp.
#include "controller/commands/target.hpp"

#include "controller/output/printable.hpp"

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

Result<HeldApp> hold_app(CommandContext& context, const std::string& command) {
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
  return HeldApp{std::move(*target), std::move(*lock), std::move(*control)};
}

Result<Color> parse_color(const std::string& text) {
  for (const Color color : shm::kColors) {
    if (text == shm::name_of(color)) {
      return color;
    }
  }
  return fail(ExitCode::kUsage, "COLOR: expected blue or green, found \"" + printable(text) + "\"");
}

std::string describe_release(const shm::EndpointTable& table) {
  const std::string_view release = shm::text_of(table.release);
  return !shm::is_published(table) ? "nothing published, bluegreen_server lines count"
         : release.empty()         ? "a release without a name"
                                   : "release " + printable(release);
}

}  // namespace bluegreen
