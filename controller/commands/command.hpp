// What a command is: one row of one table, and what it gets to work with.
//
// command_table.cpp lists every command (name, arguments, options, one line of help, function);
// `--help`, the parser, the man page (man.cpp) and the completion (completion.cpp) read that table
// and nothing else. cli.cpp turns argv into an Invocation by it, makes the CommandContext and calls
// the function; a command never sees argv. It returns what `finish`, `fail` or `done` return: the
// exit code.
//
// To add a command: a file commands/NAME.cpp with `int NAME_command(CommandContext&)`, its
// declaration below, its row in command_table.cpp, its file in commands/CMakeLists.txt.
//
// One process, one thread, one command. stdout carries the result, stderr the progress.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "controller/config/config.hpp"
#include "controller/output/event.hpp"
#include "controller/output/writer.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

struct ArgumentSpec {
  std::string_view name;  // as in the usage line: "COLOR"
  std::string_view help;
  bool required = true;
  std::string_view choices = {};  // the words it may be, for completion: "on off"
};

struct OptionSpec {
  std::string_view name;   // with its dashes: "--timeout"
  std::string_view value;  // name of its value in the usage line; empty: a switch without one
  std::string_view help;
};

// What every command understands, from the command line and the environment.
struct GlobalOptions {
  std::string config = "/etc/bluegreen/bgctl.json";
  bool config_given = false;  // by --config or BGCTL_CONFIG: then it has to be there
  std::string control;        // empty: the configuration says
  std::string telemetry;
  std::string app;
  bool json = false;
};

// One command line, parsed.
struct Invocation {
  std::string command;
  GlobalOptions global;
  std::map<std::string, std::string, std::less<>> arguments;  // by ArgumentSpec::name
  std::map<std::string, std::string, std::less<>> options;    // by OptionSpec::name
  std::set<std::string, std::less<>> switches;
};

// Which files and which application a command is about: flags first, then the configuration.
struct Target {
  std::string control;
  std::string telemetry;  // empty: --control was given without --telemetry
  std::string run_dir;
  std::string app;  // empty: not said, and the configuration has not exactly one
};

class CommandContext {
 public:
  CommandContext(Invocation invocation, Writer& out, Writer& err);

  const Invocation& invocation() const { return invocation_; }
  const GlobalOptions& global() const { return invocation_.global; }
  bool json() const { return invocation_.global.json; }

  // An argument that was not given is empty.
  std::string argument(std::string_view name) const;
  std::optional<std::string> option(std::string_view name) const;
  bool has_switch(std::string_view name) const;
  // "10m" and the like; `otherwise` when the option was not given.
  Result<milliseconds> duration(std::string_view option_name, milliseconds otherwise) const;

  // The configuration, read at the first call; the error again at each later one.
  Result<const Config*> config();
  // The configuration's entry of the application that target() names.
  Result<const AppConfig*> app_config();
  // Works without any configuration when --control is given.
  Result<Target> target();

  // Progress, on stderr: plain lines, or NDJSON with --json.
  EventSink& events() { return *events_; }
  Writer& out() { return out_; }
  Writer& err() { return err_; }

  // The end of a command that changes something: the verdict on stdout, first line first.
  int finish(const Verdict& verdict);
  // The end by an error: "bgctl NAME: what" on stderr; with --json a verdict on stdout too.
  int fail(const Error& error);
  // The end of a command that shows something: the text, or with --json the document.
  int done(const std::string& text_or_json, ExitCode code = ExitCode::kDone);

 private:
  Invocation invocation_;
  Writer& out_;
  Writer& err_;
  std::unique_ptr<EventSink> events_;
  std::optional<Result<Config>> config_;
};

using CommandFunction = int (*)(CommandContext&);

struct CommandSpec {
  std::string_view name;
  std::span<const ArgumentSpec> arguments;
  std::span<const OptionSpec> options;
  std::string_view help;  // one line
  CommandFunction run;
  bool hidden = false;  // not in --help: started by bgctl itself
};

// The table. The order is the one of --help.
std::span<const CommandSpec> command_table();

// What every command takes, for the parser and for --help.
std::span<const OptionSpec> global_options();

// All of main: parses, runs, returns the exit code. `environment` answers like getenv.
int run_cli(int argc, const char* const* argv, Writer& out, Writer& err);

std::string overall_help();
std::string command_help(const CommandSpec& command);

// The commands, each in a file of its own.
int init_command(CommandContext& context);
int status_command(CommandContext& context);
int switch_command(CommandContext& context);
int weight_command(CommandContext& context);
int hold_command(CommandContext& context);
int release_command(CommandContext& context);
int maintenance_command(CommandContext& context);
int drain_command(CommandContext& context);
int doctor_command(CommandContext& context);
// The only one whose exit codes are Nagios' (0 to 3).
int check_command(CommandContext& context);
int version_command(CommandContext& context);
int deploy_command(CommandContext& context);
int plan_command(CommandContext& context);
int rollback_command(CommandContext& context);
int promote_command(CommandContext& context);
int abort_command(CommandContext& context);
int contract_command(CommandContext& context);
int recover_command(CommandContext& context);
int history_command(CommandContext& context);
int show_command(CommandContext& context);
int logs_command(CommandContext& context);
int config_command(CommandContext& context);
int completion_command(CommandContext& context);
int man_command(CommandContext& context);
// Hidden: the deploy itself, detached from the command that started it. ID names its trace folder.
int run_deploy_command(CommandContext& context);

}  // namespace bluegreen
