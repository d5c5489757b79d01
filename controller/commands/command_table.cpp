// The table of commands, see command.hpp: order, arguments, options and help stand here and
// nowhere else.
#include <array>

#include "controller/commands/command.hpp"

namespace bluegreen {
namespace {

constexpr ArgumentSpec kColorArgument[] = {{"COLOR", "blue or green", true, "blue green"}};

constexpr OptionSpec kSwitchOptions[] = {
    {"--force", "", "switch to a color even if nothing is known to serve it"},
    {"--hold", "", "let new requests wait until nothing is in flight, and flip then"},
    {"--timeout", "DURATION",
     "with --hold: go back and end with 60 after this time (default 20s)"}};

constexpr ArgumentSpec kWeightArguments[] = {
    {"PERCENT", "0 to 100, with at most two decimals: \"5\", \"0.25\""}};
constexpr OptionSpec kWeightOptions[] = {
    {"--force", "", "even if the other color is closed, or nothing is known to serve it"}};

constexpr OptionSpec kHoldOptions[] = {
    {"--for", "DURATION", "how long at most, up to 24h (default 30s); again makes it longer"}};

constexpr ArgumentSpec kMaintenanceArguments[] = {{"STATE", "on or off", true, "on off"}};

constexpr OptionSpec kDrainOptions[] = {
    {"--timeout", "DURATION", "give up after this time (default 30s)"}};

constexpr ArgumentSpec kDeployArguments[] = {
    {"IMAGE", "what to deploy: repo:tag or repo@sha256:..., or the process runtime's word"}};
constexpr OptionSpec kIdOption = {"--id", "ID",
                                  "its name; again with the same one follows it or repeats its end "
                                  "(default: the SSM command id, or a new one)"};
constexpr OptionSpec kByOption = {
    "--by", "TEXT",
    "who asks, for the history (default: GITHUB_ACTOR, the SSM command id, the user)"};
constexpr OptionSpec kFromOption = {
    "--from", "URL", "the pipeline's run that asks (default: that of GITHUB_RUN_ID)"};
constexpr OptionSpec kDeployOptions[] = {
    kIdOption,
    kByOption,
    kFromOption,
    {"--pause-before", "STEP",
     "wait for `bgctl promote` before STEP (flip); users see nothing yet"},
    {"--pause-for", "DURATION",
     "give up waiting and undo after this time (default 1h, at most 24h)"}};
constexpr OptionSpec kRollbackOptions[] = {kIdOption, kByOption, kFromOption};
constexpr ArgumentSpec kPlanArguments[] = {{"IMAGE", "as for deploy"}};
constexpr OptionSpec kContractOptions[] = {
    {"--id", "ID", "its name; again with the same one follows it or repeats its end"}};
constexpr ArgumentSpec kRunDeployArguments[] = {{"ID", "the deploy to run"}};

constexpr ArgumentSpec kTracedArgument[] = {{"DEPLOY", "a deploy's id, as in `bgctl history`"}};
constexpr ArgumentSpec kConfigArgument[] = {{"VERB", "check or example", true, "check example"}};
constexpr ArgumentSpec kShellArgument[] = {{"SHELL", "bash, zsh or fish", true, "bash zsh fish"}};

constexpr CommandSpec kCommands[] = {
    {"init", {}, {}, "make the control file, or add an application to it", init_command},
    {"status", {}, {}, "show what serves now", status_command},
    {"deploy", kDeployArguments, kDeployOptions, "put IMAGE on the idle color and switch to it",
     deploy_command},
    {"plan",
     kPlanArguments,
     {},
     "show what deploy IMAGE would do, and whether it could",
     plan_command},
    {"rollback", {}, kRollbackOptions, "go back to the previous release", rollback_command},
    {"promote", {}, {}, "let a deploy go on that waits at --pause-before", promote_command},
    {"abort", {}, {}, "stop the deploy that runs and take it back", abort_command},
    {"contract",
     {},
     kContractOptions,
     "run the contract part of a schema change, once the old release is gone",
     contract_command},
    {"recover", {}, {}, "finish or undo what an interrupted deploy has left", recover_command},
    {"switch", kColorArgument, kSwitchOptions, "make COLOR serve, at once", switch_command},
    {"weight", kWeightArguments, kWeightOptions, "send PERCENT of the requests to the other color",
     weight_command},
    {"hold", {}, kHoldOptions, "let new requests wait", hold_command},
    {"release", {}, {}, "let waiting requests go to the active color", release_command},
    {"maintenance",
     kMaintenanceArguments,
     {},
     "answer all new requests with 503, or no longer",
     maintenance_command},
    {"drain", kColorArgument, kDrainOptions,
     "close the idle COLOR and wait until its requests have ended", drain_command},
    {"history", {}, {}, "list the deploys of this host", history_command},
    {"show",
     kTracedArgument,
     {},
     "show how a deploy ended, who asked, and its steps in time",
     show_command},
    {"logs", kTracedArgument, {}, "print a deploy's log", logs_command},
    {"doctor", {}, {}, "check this host and say what to do", doctor_command},
    {"check", {}, {}, "say for Nagios whether all is well, with its exit codes", check_command},
    {"config", kConfigArgument, {}, "check the configuration, or print an example", config_command},
    {"completion", kShellArgument, {}, "print a completion script for a shell", completion_command},
    {"man", {}, {}, "print the manual page, for `man -l -`", man_command},
    {"version", {}, {}, "print version and ABI", version_command},
    {"run-deploy", kRunDeployArguments, {}, "run a deploy, detached", run_deploy_command, true},
};

constexpr OptionSpec kGlobalOptions[] = {
    {"--config", "FILE", "configuration (default /etc/bluegreen/bgctl.json, or BGCTL_CONFIG)"},
    {"--control", "FILE", "control file, instead of the configuration's"},
    {"--telemetry", "FILE", "telemetry file, instead of the configuration's"},
    {"--app", "NAME", "application, where there are several"},
    {"--json", "", "result as JSON on stdout, progress as NDJSON on stderr"},
};

}  // namespace

std::span<const CommandSpec> command_table() {
  return kCommands;
}

std::span<const OptionSpec> global_options() {
  return kGlobalOptions;
}

}  // namespace bluegreen
