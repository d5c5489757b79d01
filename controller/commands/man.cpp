// bgctl man: the manual page, in roff, out of the command table and exit_codes.def, like --help:
// `bgctl man | man -l -`, or into share/man/man8/bgctl.8. Prints, and touches nothing.
#include <string>

#include "controller/commands/command.hpp"

namespace bluegreen {
namespace {

// Text in which roff finds no request and no escape: a line may not begin with '.' or '\''.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() && (c == '.' || c == '\'')) {
      out += "\\&";
    }
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string item(const std::string& tag, std::string_view text) {
  return ".TP\n" + tag + "\n" + roff(text) + "\n";
}

std::string tag_of(const OptionSpec& option) {
  std::string tag = "\\fB" + roff(option.name) + "\\fR";
  return option.value.empty() ? tag : tag + " \\fI" + roff(option.value) + "\\fR";
}

std::string section_of(const CommandSpec& command) {
  std::string heading = "\\fBbgctl " + roff(command.name) + "\\fR";
  for (const ArgumentSpec& argument : command.arguments) {
    const std::string name = "\\fI" + roff(argument.name) + "\\fR";
    heading += argument.required ? " " + name : " [" + name + "]";
  }
  std::string text = ".SS " + heading + "\n" + roff(command.help) + "\n";
  for (const ArgumentSpec& argument : command.arguments) {
    text += item("\\fI" + roff(argument.name) + "\\fR", argument.help);
  }
  for (const OptionSpec& option : command.options) {
    text += item(tag_of(option), option.help);
  }
  return text;
}

}  // namespace

int man_command(CommandContext& context) {
  std::string page = ".TH BGCTL 8 \"\" \"bgctl " BLUEGREEN_VERSION
                     "\" \"System administration\"\n"
                     ".SH NAME\n"
                     "bgctl \\- moves live traffic between two releases behind NGINX\n"
                     ".SH SYNOPSIS\n"
                     "\\fBbgctl\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
                     ".SH COMMANDS\n";
  for (const CommandSpec& command : command_table()) {
    if (!command.hidden) {
      page += section_of(command);
    }
  }
  page += ".SH OPTIONS\nEvery command takes these.\n";
  for (const OptionSpec& option : global_options()) {
    page += item(tag_of(option), option.help);
  }
  page += item("\\fB\\-\\-help\\fR", "what a command takes");
  page += ".SH EXIT STATUS\n";
#define EXIT_CODE(name, number, meaning) page += item(#number, meaning);
#include "controller/exit_codes.def"
#undef EXIT_CODE
  page += ".SH FILES\n";
  page += item("/etc/bluegreen/bgctl.json", "the configuration; `bgctl config example` prints one");
  page += ".SH ENVIRONMENT\n";
  page += item("BGCTL_CONFIG", "the configuration, where --config is not given");
  page += item("BGCTL_RUN_DIR", "the folder of locks and process records");
  page += item("NO_COLOR", "no color on a terminal, when it is not empty");
  return context.done(page);
}

}  // namespace bluegreen
