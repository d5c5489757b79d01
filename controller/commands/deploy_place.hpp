// What a command that deploys, rolls back or recovers works on: the configuration's application and
// its control file, opened and checked. See target.hpp for its little brother, which needs no
// configuration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/commands/command.hpp"
#include "controller/regions/control_file.hpp"

namespace bluegreen {

struct DeployPlace {
  Target target;
  const Config* config = nullptr;
  const AppConfig* app = nullptr;
  std::unique_ptr<ControlFile> control;

  std::string lock_name() const;
};

// The arguments by which another bgctl, which may have another working directory, works on the same
// place: --config, --app, and --control and --telemetry where they are given.
std::vector<std::string> place_arguments(const GlobalOptions& options, const std::string& app);

// kUsage: configuration or control file; kPreflight: the application is not in the control file.
Result<DeployPlace> open_place(CommandContext& context, ControlAccess access);

}  // namespace bluegreen
