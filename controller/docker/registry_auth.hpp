// The credentials for a registry, as the Engine wants them in the header X-Registry-Auth.
//
// From config.json in DOCKER_CONFIG (or HOME/.docker, or /root/.docker: SSM has no HOME), each
// time, since `docker login` may have changed them: the registry's own helper (`credHelpers`), else
// the common one (`credsStore`), else `auths`. A helper is a program docker-credential-NAME in PATH
// that gets the registry's name and prints a user and a secret; it has half a minute. One that
// fails is told, and what `auths` has is taken: a public registry may want none. Never logged, in
// no argument and no environment. Called by the pull; one thread.
#pragma once

#include <string>

namespace bluegreen {

struct RegistryAuth {
  std::string header;   // base64url of the JSON that the Engine expects; anonymous: of {}
  std::string trouble;  // why a helper gave nothing; empty when it did, or when there is none
  [[nodiscard]] bool anonymous() const;
};

RegistryAuth registry_auth(const std::string& registry);
RegistryAuth anonymous_auth();

// The parts, for tests: what `auths` of a config.json has; which helper it names ("ecr-login"), or
// none; what a helper's answer means.
std::string registry_auth_from(const std::string& config_json, const std::string& registry);
std::string credential_helper_of(const std::string& config_json, const std::string& registry);
RegistryAuth auth_from_helper(const std::string& answer, const std::string& registry);

}  // namespace bluegreen
