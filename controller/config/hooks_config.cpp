// See hooks_config.hpp.
#include "controller/config/hooks_config.hpp"

#include <limits>

#include "controller/config/checker.hpp"

namespace bluegreen {
namespace {

using detail::Section;
using nlohmann::json;
using std::chrono::hours;
using std::chrono::milliseconds;

constexpr milliseconds kShortest{100};
constexpr milliseconds kLongest = hours{24};
constexpr const char* kCommand = "a list of texts, the program first";

std::optional<MigrationConfig> read_migration(Section& app, const std::string& key,
                                              bool is_process) {
  const json* object = app.object(key);
  if (object == nullptr) {
    return std::nullopt;
  }
  MigrationConfig migration;
  Section section(app.problems(), object, app.path_of(key));
  section.words("command", migration.command);
  section.name("service", migration.service,
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", "0123456789._-",
               "a Compose service name");
  section.duration("timeout", migration.timeout, kShortest, kLongest);
  const bool has_command = section.any("command") != nullptr;
  const bool has_service = section.any("service") != nullptr;
  if (has_service && is_process) {
    section.problems().add(section.path_of("service"),
                           "expected only with \"runtime\": \"compose\"; the process runtime has "
                           "command");
  } else if (has_command == has_service) {
    section.problems().add(app.path_of(key),
                           "expected either " + section.path_of("command") + " or " +
                               section.path_of("service") +
                               (has_command ? ", found both" : ", found neither"));
  }
  return migration;
}

std::vector<HookConfig> read_list(Section& hooks, const std::string& key) {
  std::vector<HookConfig> list;
  hooks.objects(key, std::numeric_limits<std::size_t>::max(), "a list of objects with command",
                "an object with command", [&list](Section& section) {
                  HookConfig hook;
                  section.require("command", kCommand);
                  section.words("command", hook.command);
                  section.duration("timeout", hook.timeout, kShortest, kLongest);
                  list.push_back(std::move(hook));
                });
  return list;
}

}  // namespace

HooksConfig read_hooks(Section& app, bool is_process) {
  HooksConfig config;
  config.migrate = read_migration(app, "migrate", is_process);
  config.contract = read_migration(app, "contract", is_process);
  Section hooks(app.problems(), app.object("hooks"), app.path_of("hooks"));
  config.pre_flip = read_list(hooks, "pre_flip");
  config.post_flip = read_list(hooks, "post_flip");
  config.post_stop = read_list(hooks, "post_stop");
  config.on_failure = read_list(hooks, "on_failure");
  return config;
}

}  // namespace bluegreen
