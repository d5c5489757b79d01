// The configuration out of any bytes, as somebody may have typed it.
//
// Promised: a document is understood or refused with a message that names it, never anything else;
// what is understood keeps its limits and is understood the same a second time.
#include <string>

#include "controller/config/config.hpp"
#include "shm/text_field.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using fuzz::expect;

namespace {

void check_app(const std::string& name, const AppConfig& app) {
  expect(shm::is_app_name(name) && app.name == name);
  expect(app.healthy_within.count() >= 100 && app.drain_timeout.count() >= 0);
  expect(app.soak.count() >= 0 && app.keep_old.count() >= 0 && app.deploy_within.count() >= 1000);
  expect(app.keep_releases >= 1 && app.keep_releases <= 100);
  if (const auto* compose = std::get_if<ComposeConfig>(&app.runtime)) {
    expect(!compose->file.empty() && compose->file.front() == '/' && compose->port != 0);
    expect(compose->services[0] != compose->services[1]);
  } else {
    const auto& process = std::get<ProcessConfig>(app.runtime);
    expect(!process.command.empty() && process.ports[0] != process.ports[1]);
    expect(process.health.front() == '/');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = parse_config(text, "the-file");
  if (!config) {
    expect(config.error().code == ExitCode::kUsage);
    expect(config.error().what.rfind("the-file: ", 0) == 0);
    return 0;
  }
  expect(!config->apps.empty());
  for (const auto& [name, app] : config->apps) {
    check_app(name, app);
  }
  const auto again = parse_config(text, "the-file");
  expect(again && again->apps.size() == config->apps.size() && again->control == config->control);
  return 0;
}
