// bgctl init: makes the control file and adds applications to it. Idempotent; what is there and
// whole is left as it is, what is there and is not whole is refused.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/regions/control_file.hpp"

namespace bluegreen {
namespace {

// --app, else all of the configuration, else none: a region alone.
Result<std::vector<std::string>> apps_to_add(CommandContext& context) {
  std::vector<std::string> apps;
  if (!context.global().app.empty()) {
    apps.push_back(context.global().app);
    return apps;
  }
  if (!context.global().control.empty() && !context.global().config_given) {
    return apps;
  }
  const auto config = context.config();
  if (!config) {
    return tl::unexpected(config.error());
  }
  for (const auto& [name, app] : (*config)->apps) {
    apps.push_back(name);
  }
  return apps;
}

struct Outcome {
  bool created = false;
  std::vector<std::string> added;
  std::vector<std::string> present;
  std::uint64_t id = 0;
};

Result<Outcome> init(const Target& target, const std::vector<std::string>& apps) {
  Outcome outcome;
  const auto created = ControlFile::create(target.control, apps);
  if (!created) {
    return tl::unexpected(created.error());
  }
  outcome.created = *created;
  // Opened anew in both cases: what is reported is what is there.
  const auto control = ControlFile::open(target.control, ControlAccess::kChange, target.run_dir);
  if (!control) {
    return tl::unexpected(control.error());
  }
  outcome.id = (*control)->id();
  if (*created) {
    outcome.added = apps;
    return outcome;
  }
  for (const std::string& app : apps) {
    const auto added = (*control)->add_app(app);
    if (!added) {
      return tl::unexpected(added.error());
    }
    (*added ? outcome.added : outcome.present).push_back(app);
  }
  return outcome;
}

std::string text_of(const Target& target, const Outcome& outcome) {
  std::string text =
      target.control + (outcome.created ? ": made\n" : ": is there and left as it is\n");
  for (const std::string& app : outcome.added) {
    text += "application " + app + ": added, blue is active\n";
  }
  for (const std::string& app : outcome.present) {
    text += "application " + app + ": is there already, its route is untouched\n";
  }
  return text;
}

std::string json_of(const Target& target, const Outcome& outcome) {
  return nlohmann::json({{"schema", 1},
                         {"command", "init"},
                         {"result", "done"},
                         {"exit", 0},
                         {"control", target.control},
                         {"created", outcome.created},
                         {"added", outcome.added},
                         {"present", outcome.present}})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int init_command(CommandContext& context) {
  const auto target = context.target();
  if (!target) {
    return context.fail(target.error());
  }
  const auto apps = apps_to_add(context);
  if (!apps) {
    return context.fail(apps.error());
  }
  const auto outcome = init(*target, *apps);
  if (!outcome) {
    return context.fail(outcome.error());
  }
  return context.done(context.json() ? json_of(*target, *outcome) : text_of(*target, *outcome));
}

}  // namespace bluegreen
