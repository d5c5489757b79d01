// bgctl config check and bgctl config example: whether the configuration can be used, and one to
// begin with. Neither looks at anything but the configuration and the secret that it names.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/commands/make_runtime.hpp"
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
      // Before a user gets the new release, through NGINX's bluegreen_preview:
      // "smoke": {"url": "http://127.0.0.1:8080", "secret_file": "/etc/bluegreen/preview.secret",
      //   "checks": [{"path": "/health", "status": 200, "body": "ok", "within": "1s"}]},
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
  std::string warnings;
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [name, app] : (*config)->apps) {
    names += (names.empty() ? "" : ", ") + name;
    // A warning: the configuration may be checked where the secret is not.
    const auto smoke = make_smoke(app);
    const auto ready = smoke ? smoke->ready() : Result<void>{};
    if (!ready) {
      const std::string warning = "apps." + name + ".smoke: " + ready.error().what;
      warnings += "\n  " + warning;
      list.push_back(warning);
    }
  }
  const nlohmann::json done = {{"schema", 1}, {"result", "done"}, {"exit", 0}, {"warnings", list}};
  return context.done(context.json()
                          ? done.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                          : context.global().config + ": can be used; applications: " + names +
                                warnings);
}

}  // namespace bluegreen
