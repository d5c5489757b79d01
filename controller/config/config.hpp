// The configuration, checked: what the JSON document of the contract says, with its defaults.
//
// load_config reads it once, at the start of a command; every unknown key, wrong type and value
// out of range is reported at once, each with its path in the document, what was found and what
// was expected (ExitCode::kUsage). A loaded Config is immutable.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controller/config/canary_config.hpp"
#include "controller/config/hooks_config.hpp"
#include "controller/config/notify_config.hpp"
#include "controller/config/smoke_config.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

using std::chrono::milliseconds;

struct ComposeConfig {
  std::string project = "staging";
  std::string file;  // required
  std::string env_file = "/opt/staging/images.env";
  std::uint16_t port = 0;  // required: where the application listens in its container
  std::string services[2] = {"app_blue", "app_green"};  // [color]
  std::string image_variables[2] = {"APP_BLUE_IMAGE", "APP_GREEN_IMAGE"};
  std::string network;  // the one that NGINX shares; needed only when a container has several
  std::string docker_host = "unix:///var/run/docker.sock";  // DOCKER_HOST overrides
  std::uint32_t min_free_mb = 512;  // on the disk of Docker's data, checked before a deploy
  std::uint32_t pull_tries = 6;     // while the registry has a passing trouble
};

struct ProcessConfig {
  std::vector<std::string> command;  // required; {image}, {color} and {port} are replaced
  std::uint16_t ports[2] = {0, 0};   // required, [color]
  std::string health = "/health";
  milliseconds stop_timeout{10'000};
  std::map<std::string, std::string> environment;
  std::string directory = "/";
};

// kStop cuts what is left; kWait waits on, for up to deploy_within, and never cuts;
// kRollback puts the old color back.
enum class AfterDrainTimeout : std::uint8_t { kStop, kWait, kRollback };

struct AppConfig {
  std::string name;
  std::variant<ComposeConfig, ProcessConfig> runtime;
  milliseconds healthy_within{60'000};
  milliseconds drain_timeout{30'000};
  AfterDrainTimeout drain_then = AfterDrainTimeout::kStop;
  CanaryConfig canary;  // canary and analysis
  milliseconds soak{0};
  milliseconds keep_old{600'000};
  milliseconds deploy_within{7'200'000};  // for the whole deploy; see deploy/deploy_deadline.hpp
  std::uint32_t keep_releases = 3;
  std::uint32_t keep_traces = 50;  // folders of deploys that are over
  std::optional<SmokeConfig> smoke;
  HooksConfig hooks;
};

struct Config {
  std::string control = "/var/lib/bluegreen/control";
  std::string telemetry = "/run/bluegreen/telemetry";
  std::string trace_dir = "/opt/staging/deploy-trace";
  std::string run_dir = "/run/bgctl";  // locks and process records; BGCTL_RUN_DIR overrides
  std::vector<NotifyConfig> notify;
  std::map<std::string, AppConfig> apps;
};

Result<Config> load_config(const std::string& path);
Result<Config> parse_config(const std::string& text, const std::string& name);

}  // namespace bluegreen
