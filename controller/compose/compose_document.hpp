// What `docker compose config --format json` says about an application's two services, and whether
// a switch without downtime can rely on it. Pure; called by ComposeRuntime's preflight and start.
// Each refusal is one sentence that names the file, the service, what was found and what was
// expected.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "controller/config/config.hpp"
#include "shm/limits.hpp"

namespace bluegreen {

// Both services, checked with both image variables set to these words.
struct ProbeImages {
  std::string words[2];  // [color]
};

tl::expected<void, std::string> check_services(const std::string& document,
                                               const ComposeConfig& config,
                                               const ProbeImages& probes);

// The image that a service would run.
tl::expected<std::string, std::string> service_image(const std::string& document,
                                                     const std::string& service);

// Reads "2.26.1" or "v2.26.1-4": true when it is at least major.minor.
bool compose_version_is_at_least(const std::string& text, int major, int minor);

}  // namespace bluegreen
