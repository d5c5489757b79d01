// From argv to a command, by the command table. The only file that sees CLI11.
//
// CLI11 takes the line apart; what is missing or too much is told here, in our words, with the
// usage of the command in question and exit code 2. `--help` goes to stdout and is exit code 0.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <deque>

#include "controller/commands/command.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

// What CLI11 writes into; stable addresses while it parses.
struct Parsed {
  struct Value {
    std::string_view name;
    std::string text;
    CLI::Option* option = nullptr;
  };
  std::deque<Value> arguments;
  std::deque<Value> options;
  std::deque<Value> global;
};

void add_option(CLI::App& to, const OptionSpec& spec, std::deque<Parsed::Value>& values) {
  auto& value = values.emplace_back(Parsed::Value{spec.name, {}, nullptr});
  const std::string name(spec.name);
  value.option = spec.value.empty() ? to.add_flag(name) : to.add_option(name, value.text);
  if (!spec.value.empty()) {
    value.option->take_last();
  }
}

const CommandSpec* find_command(std::string_view name) {
  for (const CommandSpec& command : command_table()) {
    if (command.name == name) {
      return &command;
    }
  }
  return nullptr;
}

int usage_error(Writer& err, const CommandSpec* command, const std::string& what) {
  const std::string name = command ? "bgctl " + std::string(command->name) : "bgctl";
  std::string text = name + ": " + printable(what) + "\n";
  if (command != nullptr) {
    const std::string help = command_help(*command);
    text += help.substr(0, help.find('\n') + 1);
  } else {
    text += "see `bgctl --help`\n";
  }
  err.write(text);
  // To Nagios 2 is CRITICAL: a wrong command line is 3, UNKNOWN.
  const bool for_nagios = command != nullptr && command->run == check_command;
  return for_nagios ? 3 : static_cast<int>(ExitCode::kUsage);
}

// What is wrong with a line that CLI11 could take apart; empty when nothing is.
std::string complaint(const CommandSpec& command, const Parsed& parsed,
                      const std::vector<std::string>& extras) {
  for (const std::string& word : extras) {
    if (word.size() > 1 && word.front() == '-' && word != "--") {
      return "unknown option " + word;
    }
  }
  if (!extras.empty()) {
    return "unexpected argument \"" + extras.front() + "\"";
  }
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    if (command.arguments[i].required && parsed.arguments[i].text.empty()) {
      return std::string(command.arguments[i].name) + " is missing";
    }
  }
  return {};
}

GlobalOptions global_options_of(const std::deque<Parsed::Value>& values) {
  GlobalOptions global;
  if (const char* config = std::getenv("BGCTL_CONFIG"); config != nullptr && *config != '\0') {
    global.config = config;
    global.config_given = true;
  }
  for (const Parsed::Value& value : values) {
    if (value.option->count() == 0) {
      continue;
    }
    if (value.name == "--config") {
      global.config = value.text;
      global.config_given = true;
    } else if (value.name == "--control") {
      global.control = value.text;
    } else if (value.name == "--telemetry") {
      global.telemetry = value.text;
    } else if (value.name == "--app") {
      global.app = value.text;
    } else if (value.name == "--json") {
      global.json = true;
    }
  }
  return global;
}

Invocation invocation_of(const CommandSpec& command, const Parsed& parsed) {
  Invocation invocation;
  invocation.command = command.name;
  invocation.global = global_options_of(parsed.global);
  for (const Parsed::Value& value : parsed.arguments) {
    invocation.arguments.emplace(value.name, value.text);
  }
  for (std::size_t i = 0; i < command.options.size(); ++i) {
    const Parsed::Value& value = parsed.options[i];
    if (value.option->count() == 0) {
      continue;
    }
    if (command.options[i].value.empty()) {
      invocation.switches.emplace(value.name);
    } else {
      invocation.options.emplace(value.name, value.text);
    }
  }
  return invocation;
}

// Where the command stands: the first word that is neither an option nor the value of a global
// one, which may stand before it. words.size() when there is none.
std::size_t command_place(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].size() < 2 || words[i].front() != '-') {
      return i;
    }
    for (const OptionSpec& option : global_options()) {
      if (option.name == words[i] && !option.value.empty()) {
        ++i;
        break;
      }
    }
  }
  return words.size();
}

int run_parsed(const CommandSpec& command, const std::vector<std::string>& words, Writer& out,
               Writer& err) {
  CLI::App app;
  app.set_help_flag("");
  app.allow_extras();
  Parsed parsed;
  bool help = false;
  app.add_flag("-h,--help", help);
  for (const OptionSpec& option : global_options()) {
    add_option(app, option, parsed.global);
  }
  for (const OptionSpec& option : command.options) {
    add_option(app, option, parsed.options);
  }
  for (const ArgumentSpec& argument : command.arguments) {
    auto& value = parsed.arguments.emplace_back(Parsed::Value{argument.name, {}, nullptr});
    value.option = app.add_option(std::string(argument.name), value.text);
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return usage_error(err, &command, error.what());
  }
  if (help) {
    out.write(command_help(command));
    return 0;
  }
  if (const std::string wrong = complaint(command, parsed, app.remaining()); !wrong.empty()) {
    return usage_error(err, &command, wrong);
  }
  CommandContext context(invocation_of(command, parsed), out, err);
  return command.run(context);
}

}  // namespace

int run_cli(int argc, const char* const* argv, Writer& out, Writer& err) {
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::size_t place = command_place(words);
  if (place >= words.size()) {
    const std::string first = words.empty() ? std::string() : words.front();
    if (first == "-h" || first == "--help") {
      out.write(overall_help());
      return 0;
    }
    return usage_error(err, nullptr,
                       words.empty() ? "no command given" : "no command after \"" + first + "\"");
  }
  const std::string name = words[place];
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(place));
  if (name == "help") {
    const CommandSpec* about = words.empty() ? nullptr : find_command(words.front());
    out.write(about != nullptr ? command_help(*about) : overall_help());
    return 0;
  }
  if (const CommandSpec* command = find_command(name)) {
    return run_parsed(*command, words, out, err);
  }
  return usage_error(err, nullptr, "unknown command \"" + name + "\"");
}

}  // namespace bluegreen
