// bgctl doctor: whether this host can deploy, and if not, what to do. Changes nothing.
// Exit 0 when nothing failed (warnings included), 20 otherwise.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/commands/doctor_checks.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

const char* word_of(CheckState state) {
  return state == CheckState::kOk ? "ok" : state == CheckState::kWarn ? "warn" : "fail";
}

std::string checks_text(const Checks& checks, std::ptrdiff_t failed) {
  std::string text = failed == 0 ? "this host is ready\n"
                                 : std::to_string(failed) + " of " + std::to_string(checks.size()) +
                                       " checks failed\n";
  for (const Check& check : checks) {
    const std::string word = word_of(check.state);
    text += "  " + word + std::string(6 - word.size(), ' ') + check.name + ": " +
            printable(check.found) + "\n";
    if (check.state != CheckState::kOk && !check.hint.empty()) {
      text += "        " + printable(check.hint) + "\n";
    }
  }
  return text;
}

std::string checks_json(const Checks& checks, ExitCode code) {
  nlohmann::json list = nlohmann::json::array();
  for (const Check& check : checks) {
    list.push_back({{"name", check.name},
                    {"state", word_of(check.state)},
                    {"found", check.found},
                    {"hint", check.hint}});
  }
  return nlohmann::json({{"schema", 1},
                         {"command", "doctor"},
                         {"exit", static_cast<int>(code)},
                         {"checks", std::move(list)}})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int doctor_command(CommandContext& context) {
  Checks checks;
  check_config(context, checks);
  if (const auto target = context.target()) {
    std::vector<std::string> apps;
    if (!target->app.empty()) {
      apps.push_back(target->app);
    } else if (const auto config = context.config()) {
      for (const auto& [name, app] : (*config)->apps) {
        apps.push_back(name);
      }
    }
    check_control(*target, apps, checks);
    check_telemetry(*target, checks);
    check_locks(*target, checks);
  }
  check_libcurl(checks);
  check_runtimes(context, checks);
  const auto failed = std::count_if(checks.begin(), checks.end(), [](const Check& check) {
    return check.state == CheckState::kFail;
  });
  const ExitCode code = failed == 0 ? ExitCode::kDone : ExitCode::kPreflight;
  return context.done(context.json() ? checks_json(checks, code) : checks_text(checks, failed),
                      code);
}

}  // namespace bluegreen
