// See deploy_place.hpp.
#include "controller/commands/deploy_place.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "controller/host/lock.hpp"

namespace bluegreen {

namespace {

std::string absolute(const std::string& path) {
  if (path.empty() || path.front() == '/') {
    return path;
  }
  std::array<char, 4096> folder{};
  return ::getcwd(folder.data(), folder.size()) == nullptr
             ? path
             : std::string(folder.data()) + "/" + path;
}

}  // namespace

std::vector<std::string> place_arguments(const GlobalOptions& options, const std::string& app) {
  std::vector<std::string> arguments = {"--config", absolute(options.config), "--app", app};
  if (!options.control.empty()) {
    arguments.insert(arguments.end(), {"--control", absolute(options.control)});
  }
  if (!options.telemetry.empty()) {
    arguments.insert(arguments.end(), {"--telemetry", absolute(options.telemetry)});
  }
  return arguments;
}

std::string DeployPlace::lock_name() const {
  return app_lock_name(control->id(), app->name);
}

Result<DeployPlace> open_place(CommandContext& context, ControlAccess access) {
  DeployPlace place;
  auto target = context.target();
  if (!target) {
    return tl::unexpected(target.error());
  }
  auto config = context.config();
  if (!config) {
    return tl::unexpected(config.error());
  }
  auto app = context.app_config();
  if (!app) {
    return tl::unexpected(app.error());
  }
  place.target = std::move(*target);
  place.config = *config;
  place.app = *app;
  auto control = ControlFile::open(place.target.control, access, place.target.run_dir);
  if (!control) {
    return tl::unexpected(control.error());
  }
  place.control = std::move(*control);
  const std::vector<std::string> known = place.control->apps();
  if (std::find(known.begin(), known.end(), place.app->name) == known.end()) {
    return fail(ExitCode::kPreflight,
                place.target.control + ": there is no application " + place.app->name + " in it",
                "add it: bgctl init --app " + place.app->name);
  }
  auto readable = place.control->read(place.app->name);
  if (!readable) {
    return tl::unexpected(readable.error());
  }
  return place;
}

}  // namespace bluegreen
