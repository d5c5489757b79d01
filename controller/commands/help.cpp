// What `--help` prints, from the command table and exit_codes.def.
#include <string>

#include "controller/commands/command.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kColumn = 26;

std::string row(std::string left, std::string_view right) {
  left.insert(0, "  ");
  left.append(left.size() < kColumn ? kColumn - left.size() : 2, ' ');
  return left.append(right) + "\n";
}

std::string option_row(const OptionSpec& option) {
  std::string left(option.name);
  if (!option.value.empty()) {
    left.append(" ").append(option.value);
  }
  return row(left, option.help);
}

std::string usage_of(const CommandSpec& command) {
  std::string usage(command.name);
  for (const ArgumentSpec& argument : command.arguments) {
    usage += argument.required ? " " + std::string(argument.name)
                               : " [" + std::string(argument.name) + "]";
  }
  return usage;
}

}  // namespace

std::string overall_help() {
  std::string text =
      "usage: bgctl COMMAND [OPTIONS]\n"
      "\n"
      "Moves live traffic between the blue and the green release behind NGINX, without a reload.\n"
      "\ncommands:\n";
  for (const CommandSpec& command : command_table()) {
    if (!command.hidden) {
      text += row(usage_of(command), command.help);
    }
  }
  text += "\noptions of every command:\n";
  for (const OptionSpec& option : global_options()) {
    text += option_row(option);
  }
  text += option_row({"--help", "", "this, or with a command what it takes"});
  text += "\nexit codes:\n";
#define EXIT_CODE(name, number, meaning) text += row(#number, meaning);
#include "controller/exit_codes.def"
#undef EXIT_CODE
  return text;
}

std::string command_help(const CommandSpec& command) {
  std::string text = "usage: bgctl " + usage_of(command);
  for (const OptionSpec& option : command.options) {
    text += " [" + std::string(option.name);
    text += option.value.empty() ? "]" : " " + std::string(option.value) + "]";
  }
  text += "\n\n" + std::string(command.help) + "\n";
  if (!command.arguments.empty() || !command.options.empty()) {
    text += "\n";
  }
  for (const ArgumentSpec& argument : command.arguments) {
    text += row(std::string(argument.name), argument.help);
  }
  for (const OptionSpec& option : command.options) {
    text += option_row(option);
  }
  text += "\noptions of every command:\n";
  for (const OptionSpec& option : global_options()) {
    text += option_row(option);
  }
  return text;
}

}  // namespace bluegreen
