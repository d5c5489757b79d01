// See the header.
#include "controller/commands/make_runtime.hpp"

#include <cstdlib>

#include "controller/compose/compose_runtime.hpp"
#include "controller/docker/preview_client.hpp"
#include "controller/process/process_runtime.hpp"

namespace bluegreen {

Result<std::unique_ptr<Runtime>> make_runtime(const Config& config, const AppConfig& app) {
  if (const auto* process = std::get_if<ProcessConfig>(&app.runtime)) {
    if (process->command.empty()) {
      return fail(ExitCode::kUsage, "app " + app.name + ": process.command is empty");
    }
    return std::make_unique<ProcessRuntime>(app.name, *process, app.healthy_within, config.run_dir,
                                            make_supervisor());
  }
  const auto& compose = std::get<ComposeConfig>(app.runtime);
  const char* host = std::getenv("DOCKER_HOST");
  return std::make_unique<ComposeRuntime>(
      compose, host != nullptr && *host != '\0' ? std::string(host) : compose.docker_host,
      config.run_dir);
}

std::unique_ptr<SmokePort> make_smoke(const AppConfig& app, std::function<bool()> stop_asked) {
  if (!app.smoke) {
    return nullptr;
  }
  const SmokeConfig& smoke = *app.smoke;
  return std::make_unique<PreviewClient>(
      PreviewRoute{smoke.url, smoke.host, smoke.header, smoke.secret_file}, std::move(stop_asked));
}

}  // namespace bluegreen
