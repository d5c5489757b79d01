// bgctl config check and bgctl config example: whether the configuration can be used, and one to
// begin with. Neither looks at anything but the configuration and the secret that it names.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/commands/config_example.hpp"
#include "controller/commands/make_runtime.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {

int config_command(CommandContext& context) {
  const std::string verb = context.argument("VERB");
  if (verb == "example") {
    return context.done(kConfigExample);
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
