// What switch and drain have in common: the application found, locked, and ready to be changed.
#pragma once

#include <memory>
#include <string>

#include "controller/commands/command.hpp"
#include "controller/host/lock.hpp"
#include "controller/regions/control_file.hpp"

namespace bluegreen {

// An application held for a whole command. The lock goes last, after the file.
struct HeldApp {
  Target target;
  HostLock lock;
  std::unique_ptr<ControlFile> control;
};

// Opens the control file, finds the application (--app, the configuration's only one, the region's
// only one) and takes its lock, at once or not at all (kLocked names the holder).
Result<HeldApp> hold_app(CommandContext& context, const std::string& command);

// "blue" or "green"; anything else is a usage error.
Result<Color> parse_color(const std::string& text);

// What a color serves, for one line to a person: "release v2" or "its bluegreen_server lines".
std::string describe_release(const shm::EndpointTable& table);

}  // namespace bluegreen
