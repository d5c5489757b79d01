// For tests, not shipped: one call of one application's Runtime from the command line.
//
//   runtime_probe CONFIG APP preflight|pull|start|wait|observe|endpoints|stop|remove|log|prune
//                 [blue|green] [IMAGE...]
//
// Prints one JSON object: {"ok": true, ...} or {"ok": false, "code", "what", "hint", "tail"}; ends
// with the error's code. `pull` prints the pinned name; `start` takes one.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "controller/commands/make_runtime.hpp"
#include "controller/config/config.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

int print_error(const Error& error) {
  const json out = {{"ok", false},
                    {"code", static_cast<int>(error.code)},
                    {"what", error.what},
                    {"hint", error.hint},
                    {"tail", error.tail}};
  std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
  return static_cast<int>(error.code);
}

int print(json out = json::object()) {
  out["ok"] = true;
  std::cout << out.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
  return 0;
}

int print_done(const Result<void>& result) {
  return result ? print() : print_error(result.error());
}

int observe(Runtime& runtime, Color color) {
  const auto seen = runtime.observe(color);
  if (!seen) {
    return print_error(seen.error());
  }
  json instances = json::array();
  for (const Instance& instance : *seen) {
    const char* health = instance.health == Health::kHealthy     ? "healthy"
                         : instance.health == Health::kUnhealthy ? "unhealthy"
                                                                 : "starting";
    instances.push_back({{"id", instance.id},
                         {"identity", std::to_string(instance.identity)},
                         {"image", instance.image},
                         {"health", health}});
  }
  return print({{"instances", instances}});
}

int endpoints(Runtime& runtime, Color color) {
  const auto found = runtime.endpoints(color);
  if (!found) {
    return print_error(found.error());
  }
  json out = json::array();
  for (const shm::Endpoint& endpoint : *found) {
    char text[shm::kEndpointTextSize];
    shm::format_endpoint(endpoint, text);
    out.push_back({{"address", text}, {"identity", std::to_string(endpoint.identity)}});
  }
  return print({{"endpoints", out}});
}

int pull(Runtime& runtime, const std::string& image) {
  json progress = json::array();
  const auto pulled = runtime.pull(image, [&progress](const std::string& line, const PullDetails&) {
    if (!line.empty()) {
      progress.push_back(line);
    }
  });
  if (!pulled) {
    return print_error(pulled.error());
  }
  return print({{"pinned", pulled->pinned}, {"warning", pulled->warning}, {"progress", progress}});
}

int run(Runtime& runtime, const AppConfig& app, const std::vector<std::string>& arguments) {
  const std::string& verb = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  const std::string first = rest.empty() ? "" : rest[0];
  const Color color = first == "blue" ? Color::kBlue : Color::kGreen;
  if (verb == "preflight") {
    return print_done(runtime.preflight(color));
  }
  if (verb == "pull") {
    return pull(runtime, first);
  }
  if (verb == "start" && rest.size() == 2) {
    return print_done(runtime.start(color, {rest[1], rest[1]}));
  }
  if (verb == "wait") {
    return print_done(
        runtime.wait_healthy(color, std::chrono::steady_clock::now() + app.healthy_within));
  }
  if (verb == "observe") {
    return observe(runtime, color);
  }
  if (verb == "endpoints") {
    return endpoints(runtime, color);
  }
  if (verb == "stop") {
    return print_done(runtime.stop(color));
  }
  if (verb == "remove") {
    return print_done(runtime.remove(color));
  }
  if (verb == "log") {
    return print({{"log", runtime.log_tail(color, 40)}});
  }
  if (verb == "prune") {
    // prune KEEP... of OURS...
    const auto of = std::find(rest.begin(), rest.end(), "of");
    return print_done(
        runtime.prune({rest.begin(), of}, {of == rest.end() ? of : of + 1, rest.end()}));
  }
  return print_error({ExitCode::kUsage, "unknown verb " + verb});
}

}  // namespace
}  // namespace bluegreen

int main(int argc, char** argv) {
  using namespace bluegreen;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) {
    return print_error({ExitCode::kUsage, "runtime_probe CONFIG APP VERB [blue|green] [IMAGE]"});
  }
  auto config = load_config(arguments[0]);
  if (!config) {
    return print_error(config.error());
  }
  const auto app = config->apps.find(arguments[1]);
  if (app == config->apps.end()) {
    return print_error({ExitCode::kUsage, "no app " + arguments[1]});
  }
  auto runtime = make_runtime(*config, app->second);
  if (!runtime) {
    return print_error(runtime.error());
  }
  return run(**runtime, app->second, {arguments.begin() + 2, arguments.end()});
}
