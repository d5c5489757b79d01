// The credentials for a registry, as the Engine wants them in the header X-Registry-Auth.
//
// Read from `auths` of config.json in DOCKER_CONFIG (or HOME/.docker, or /root/.docker), each time:
// `docker login` may have changed them. Credential helpers are not asked. Never logged.
#pragma once

#include <string>

namespace bluegreen {

// base64url of the JSON that the Engine expects; the anonymous one when nothing is known.
std::string registry_auth(const std::string& registry);

// The same from the text of a config.json: for tests.
std::string registry_auth_from(const std::string& config_json, const std::string& registry);

}  // namespace bluegreen
