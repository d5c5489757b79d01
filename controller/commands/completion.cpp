// bgctl completion SHELL: a completion script for bash, zsh or fish, out of the command table, so
// that it cannot know other commands or options than the parser. Prints, and touches nothing.
#include <string>

#include "controller/commands/command.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

// The words that a command's first argument may be; "" for a file name or free text.
std::string choices_of(const CommandSpec& command) {
  if (command.arguments.empty()) {
    return {};
  }
  return std::string(command.arguments.front().choices);
}

std::string options_of(std::span<const OptionSpec> options) {
  std::string words;
  for (const OptionSpec& option : options) {
    words.append(words.empty() ? "" : " ").append(option.name);
  }
  return words;
}

// In single quotes for any of the three shells. fish knows \' inside of them, the others do not.
std::string quoted(std::string_view text, bool fish) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += fish ? "\\'" : "'\\''";
    } else if (c == '\\' && fish) {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string bash_script() {
  std::string names;
  std::string cases;
  for (const CommandSpec& command : command_table()) {
    if (command.hidden) {
      continue;
    }
    const std::string name(command.name);
    names += (names.empty() ? "" : " ") + name;
    std::string words = choices_of(command);
    const std::string own = options_of(command.options);
    words += (words.empty() || own.empty() ? "" : " ") + own;
    cases += "    " + name + ") words=" + quoted(words, false) + " ;;\n";
  }
  std::string with_value;
  for (const OptionSpec& option : global_options()) {
    if (!option.value.empty()) {
      with_value.append(with_value.empty() ? "" : "|").append(option.name);
    }
  }
  // The command is the first word that is no option and no global option's value, as in cli.cpp.
  return "# bash completion of bgctl, made by `bgctl completion bash`\n"
         "_bgctl() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} command= words= i\n"
         "  case ${COMP_WORDS[COMP_CWORD-1]} in\n"
         "    --config|--control|--telemetry) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
         "  esac\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in\n"
         "      " +
         with_value +
         ") ((i++)) ;;\n"
         "      -*) ;;\n"
         "      *) command=${COMP_WORDS[i]}; break ;;\n"
         "    esac\n"
         "  done\n"
         "  case $command in\n"
         "    '') words=" +
         quoted(names, false) + " ;;\n" + cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words " +
         options_of(global_options()) +
         " --help\" -- \"$cur\"))\n"
         "}\n"
         "complete -F _bgctl bgctl\n";
}

std::string zsh_script() {
  // zsh runs bash's function through its own emulation: one list, not two that may differ.
  return "#compdef bgctl\n"
         "autoload -Uz bashcompinit && bashcompinit\n" +
         bash_script();
}

std::string fish_option(const OptionSpec& option, const std::string& condition) {
  std::string line = "complete -c bgctl" + condition + " -l " + std::string(option.name.substr(2)) +
                     (option.value.empty() ? "" : " -r");
  line += option.value == "FILE" ? " -F" : "";
  return line + " -d " + quoted(option.help, true) + "\n";
}

std::string fish_script() {
  std::string script =
      "# fish completion of bgctl, made by `bgctl completion fish`\n"
      "complete -c bgctl -f\n";
  for (const OptionSpec& option : global_options()) {
    script += fish_option(option, "");
  }
  script += "complete -c bgctl -l help -d 'what it takes'\n";
  for (const CommandSpec& command : command_table()) {
    if (command.hidden) {
      continue;
    }
    const std::string name(command.name);
    script += "complete -c bgctl -n __fish_use_subcommand -a " + name + " -d " +
              quoted(command.help, true) + "\n";
    const std::string inside = " -n '__fish_seen_subcommand_from " + name + "'";
    if (const std::string words = choices_of(command); !words.empty()) {
      script += "complete -c bgctl" + inside + " -a " + quoted(words, true) + "\n";
    }
    for (const OptionSpec& option : command.options) {
      script += fish_option(option, inside);
    }
  }
  return script;
}

}  // namespace

int completion_command(CommandContext& context) {
  const std::string shell = context.argument("SHELL");
  if (shell == "bash") {
    return context.done(bash_script());
  }
  if (shell == "zsh") {
    return context.done(zsh_script());
  }
  if (shell == "fish") {
    return context.done(fish_script());
  }
  return context.fail(Error{
      ExitCode::kUsage, "SHELL: expected bash, zsh or fish, found \"" + printable(shell) + "\""});
}

}  // namespace bluegreen
