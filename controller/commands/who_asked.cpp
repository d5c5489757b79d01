// See who_asked.hpp.
#include "controller/commands/who_asked.hpp"

#include <unistd.h>

#include <cstdlib>

#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kLongestWord = 300;

std::string one_line(const std::string& text) {
  return printable(text.substr(0, kLongestWord));
}

}  // namespace

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : std::string(value);
}

std::string who_asked(const std::string& by) {
  std::string who = by.empty() ? environment("GITHUB_ACTOR") : by;
  if (const std::string ssm = environment("SSM_COMMAND_ID"); !ssm.empty()) {
    who += (who.empty() ? "ssm " : ", ssm ") + ssm;
  }
  who = who.empty() ? environment("SUDO_USER") : who;
  return who.empty() ? "uid " + std::to_string(::getuid()) : one_line(who);
}

std::string from_where(const CommandContext& context) {
  if (const auto from = context.option("--from")) {
    return one_line(*from);
  }
  const std::string run = environment("GITHUB_RUN_ID");
  const std::string repository = environment("GITHUB_REPOSITORY");
  if (run.empty() || repository.empty()) {
    return {};
  }
  const std::string server = environment("GITHUB_SERVER_URL");
  return one_line((server.empty() ? "https://github.com" : server) + "/" + repository +
                  "/actions/runs/" + run);
}

}  // namespace bluegreen
