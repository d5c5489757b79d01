// bgctl config check and bgctl config example: whether the configuration can be used, and one to
// begin with. Neither looks at anything but the configuration.
#include "controller/commands/command.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

// Parsed by a test, so that it stays one.
constexpr const char* kExample = R"({
  // Made by `bgctl init`; NGINX mounts its folder, read-only.
  "control": "/var/lib/bluegreen/control",
  "telemetry": "/run/bluegreen/telemetry",
  "trace_dir": "/opt/staging/deploy-trace",
  "apps": {
    "app": {
      "runtime": "compose",
      "compose": {
        "project": "staging",
        "file": "/opt/staging/compose.yaml",
        "env_file": "/opt/staging/images.env",
        "port": 8000,  // where the application listens in its container
        "services": {"blue": "app_blue", "green": "app_green"},
        "image_variables": {"blue": "APP_BLUE_IMAGE", "green": "APP_GREEN_IMAGE"}
      },
      "healthy_within": "60s",
      "drain": {"timeout": "30s", "then": "stop"},
      "soak": "0s",
      "keep_old": "10m",  // how long the old color stays up for a rollback at once
      "deploy_within": "2h",  // over before the end of the soak: the old color serves again
      "keep_releases": 3
    }
  }
}
)";

}  // namespace

int config_command(CommandContext& context) {
  const std::string verb = context.argument("VERB");
  if (verb == "example") {
    return context.done(kExample);
  }
  if (verb != "check") {
    return context.fail(Error{
        ExitCode::kUsage, "VERB: expected check or example, found \"" + printable(verb) + "\""});
  }
  const auto config = context.config();
  if (!config) {
    return context.fail(config.error());
  }
  std::string names;
  for (const auto& [name, app] : (*config)->apps) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return context.done(context.json()
                          ? "{\"schema\":1,\"result\":\"done\",\"exit\":0}"
                          : context.global().config + ": can be used; applications: " + names);
}

}  // namespace bluegreen
