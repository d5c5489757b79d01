// What an application's entry says about commands round a deploy: `migrate`, `contract`, `hooks`.
//
// Read by config.cpp; used by the steps of the same names. A command is a list of words and runs
// without a shell; `service` is a service of the Compose file, run once from the new image.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace bluegreen {

namespace detail {
class Section;
}

struct HookConfig {
  std::vector<std::string> command;
  std::chrono::milliseconds timeout{60'000};
};

struct MigrationConfig {
  std::vector<std::string> command;  // either this
  std::string service;               // or this, compose only
  std::chrono::milliseconds timeout{600'000};
};

struct HooksConfig {
  std::optional<MigrationConfig> migrate;
  std::optional<MigrationConfig> contract;
  std::vector<HookConfig> pre_flip;
  std::vector<HookConfig> post_flip;
  std::vector<HookConfig> post_stop;
  std::vector<HookConfig> on_failure;
};

HooksConfig read_hooks(detail::Section& app, bool is_process);

}  // namespace bluegreen
