// See command.hpp: what a command works with, and how it ends.
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/config/duration.hpp"
#include "controller/output/plain.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

std::string names_of(const std::map<std::string, AppConfig>& apps) {
  std::string names;
  for (const auto& [name, app] : apps) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

}  // namespace

CommandContext::CommandContext(Invocation invocation, Writer& out, Writer& err)
    : invocation_(std::move(invocation)), out_(out), err_(err) {
  if (json()) {
    events_ = std::make_unique<NdjsonSink>(err_);
  } else {
    events_ = std::make_unique<PlainSink>(err_);
  }
}

std::string CommandContext::argument(std::string_view name) const {
  const auto found = invocation_.arguments.find(name);
  return found == invocation_.arguments.end() ? std::string() : found->second;
}

std::optional<std::string> CommandContext::option(std::string_view name) const {
  const auto found = invocation_.options.find(name);
  return found == invocation_.options.end() ? std::nullopt : std::optional(found->second);
}

bool CommandContext::has_switch(std::string_view name) const {
  return invocation_.switches.contains(name);
}

Result<milliseconds> CommandContext::duration(std::string_view option_name,
                                              milliseconds otherwise) const {
  const auto text = option(option_name);
  if (!text) {
    return otherwise;
  }
  const auto time = parse_duration(*text);
  return time ? Result<milliseconds>(*time)
              : bluegreen::fail(ExitCode::kUsage,
                                std::string(option_name) + ": expected a duration as in \"30s\", " +
                                    "\"10m\" or \"500ms\", found \"" + printable(*text) + "\"");
}

Result<const Config*> CommandContext::config() {
  if (!config_) {
    config_ = load_config(global().config);
  }
  return *config_ ? Result<const Config*>(&**config_) : tl::unexpected(config_->error());
}

Result<Target> CommandContext::target() {
  const GlobalOptions& given = global();
  Target target{given.control, given.telemetry, "/run/bgctl", given.app};
  if (const char* run_dir = std::getenv("BGCTL_RUN_DIR"); run_dir != nullptr && *run_dir != '\0') {
    target.run_dir = run_dir;
  }
  // Locks in a folder that depends on where somebody stands would lock nothing.
  if (target.run_dir.front() != '/') {
    return bluegreen::fail(ExitCode::kUsage, "BGCTL_RUN_DIR: expected an absolute path, found \"" +
                                                 printable(target.run_dir) + "\"");
  }
  // The default configuration is not looked at beside --control: whoever names the files means
  // those, and must not depend on what else this host runs.
  if (!given.control.empty() && !given.config_given) {
    return target;
  }
  const auto loaded = config();
  if (!loaded) {
    return tl::unexpected(loaded.error());
  }
  const Config& config = **loaded;
  target.run_dir = config.run_dir;
  if (given.control.empty()) {
    target.control = config.control;
  }
  if (given.telemetry.empty()) {
    target.telemetry = config.telemetry;
  }
  if (given.app.empty() && config.apps.size() == 1) {
    target.app = config.apps.begin()->first;
  }
  return target;
}

Result<const AppConfig*> CommandContext::app_config() {
  const auto loaded = config();
  if (!loaded) {
    return tl::unexpected(loaded.error());
  }
  const std::map<std::string, AppConfig>& apps = (*loaded)->apps;
  const std::string& name = global().app;
  if (name.empty() && apps.size() == 1) {
    return &apps.begin()->second;
  }
  if (name.empty()) {
    return bluegreen::fail(ExitCode::kUsage, global().config +
                                                 ": there are several applications (" +
                                                 names_of(apps) + "): expected --app NAME");
  }
  const auto found = apps.find(name);
  if (found == apps.end()) {
    return bluegreen::fail(ExitCode::kUsage, global().config + ": there is no application \"" +
                                                 printable(name) + "\"; expected one of " +
                                                 names_of(apps));
  }
  return &found->second;
}

int CommandContext::finish(const Verdict& verdict) {
  out_.write(json() ? verdict_to_json(verdict) + "\n" : render_verdict(verdict));
  return static_cast<int>(verdict.code);
}

int CommandContext::fail(const Error& error) {
  std::string text = "bgctl " + invocation_.command + ": " + printable(error.what, true) + "\n";
  if (!error.hint.empty()) {
    text += "  " + printable(error.hint) + "\n";
  }
  if (!error.tail.empty()) {
    text += printable(error.tail, true) + "\n";
  }
  err_.write(text);
  if (json()) {
    Verdict verdict;
    verdict.code = error.code;
    verdict.command = invocation_.command;
    verdict.app = global().app;
    verdict.headline = error.what.substr(0, error.what.find('\n'));
    verdict.reason = error.what;
    verdict.hint = error.hint;
    verdict.tail = error.tail;
    out_.write(verdict_to_json(verdict) + "\n");
  }
  return static_cast<int>(error.code);
}

int CommandContext::done(const std::string& text_or_json, ExitCode code) {
  const bool ends = !text_or_json.empty() && text_or_json.back() == '\n';
  out_.write(ends ? text_or_json : text_or_json + "\n");
  return static_cast<int>(code);
}

}  // namespace bluegreen
