// See config.hpp: the document, key by key.
#include "controller/config/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <string_view>
#include <system_error>

#include "controller/config/checker.hpp"
#include "controller/output/printable.hpp"
#include "shm/limits.hpp"
#include "shm/text_field.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using detail::Problems;
using detail::Section;
using nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;

constexpr const char* kColorNames[2] = {"blue", "green"};
constexpr std::size_t kLargest = 1U << 20U;  // a configuration of a megabyte is not one

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLowerOrDigit = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kLetter = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
constexpr std::string_view kNameRest = "0123456789._-";

// {"blue": ..., "green": ...}: `set` reads one key, `same` says whether both are equal.
template <class Value, class Set>
void read_pair(Section& section, const std::string& key, Value (&to)[2], Set set) {
  Section pair(section.problems(), section.object(key), section.path_of(key));
  for (std::size_t c = 0; c < 2; ++c) {
    set(pair, kColorNames[c], to[c]);
  }
  if (pair.here() && to[0] == to[1] && to[0] != Value{}) {
    section.wrong(key, "two different values");
  }
}

ComposeConfig read_compose(Section& app) {
  ComposeConfig compose;
  app.require("compose", "an object with file and port");
  Section section(app.problems(), app.object("compose"), app.path_of("compose"));
  section.name("project", compose.project, kLowerOrDigit, "_-",
               "a Compose project name (a-z, 0-9, '_', '-')");
  section.require("file", "the path of the Compose file");
  section.absolute_path("file", compose.file);
  section.absolute_path("env_file", compose.env_file);
  section.require("port", "the port that the application listens on in its container");
  section.port("port", compose.port);
  read_pair(section, "services", compose.services,
            [](Section& pair, const std::string& key, std::string& to) {
              pair.name(key, to, kLetter, kNameRest, "a Compose service name");
            });
  read_pair(section, "image_variables", compose.image_variables,
            [](Section& pair, const std::string& key, std::string& to) {
              pair.name(key, to, kLetter, kDigits, "a variable name");
            });
  section.text("network", compose.network);
  section.text("docker_host", compose.docker_host);
  section.number("min_free_mb", compose.min_free_mb, 0, 1'000'000'000);
  section.number("pull_tries", compose.pull_tries, 1, 20);
  if (compose.docker_host.rfind("unix:///", 0) != 0) {
    section.wrong("docker_host", "the engine's socket as unix:///PATH");
  }
  return compose;
}

ProcessConfig read_process(Section& app) {
  ProcessConfig process;
  app.require("process", "an object with command and ports");
  Section section(app.problems(), app.object("process"), app.path_of("process"));
  section.require("command", "a list of texts, the program first");
  section.words("command", process.command);
  section.require("ports", "an object with blue and green");
  read_pair(section, "ports", process.ports,
            [](Section& pair, const std::string& key, std::uint16_t& to) {
              pair.require(key, "a port");
              pair.port(key, to);
            });
  section.text("health", process.health);
  if (process.health.front() != '/') {
    section.wrong("health", "a path that begins with /");
  }
  section.duration("stop_timeout", process.stop_timeout, milliseconds{0}, hours{1});
  section.text_map("environment", process.environment);
  section.absolute_path("directory", process.directory);
  return process;
}

void read_drain(Section& app, AppConfig& to) {
  Section drain(app.problems(), app.object("drain"), app.path_of("drain"));
  drain.duration("timeout", to.drain_timeout, milliseconds{0}, hours{24});
  std::string then = "stop";
  drain.text("then", then);
  if (then == "wait") {
    to.drain_then = AfterDrainTimeout::kWait;
  } else if (then == "rollback") {
    to.drain_then = AfterDrainTimeout::kRollback;
  } else if (then != "stop") {
    drain.wrong("then", "\"stop\", \"wait\" or \"rollback\"");
  }
}

AppConfig read_app(Problems& problems, const std::string& name, const json& document) {
  AppConfig app;
  app.name = name;
  const std::string path = "apps." + printable(name);
  if (!shm::is_app_name(name)) {
    problems.add(path,
                 "expected an application name (1 to 63 letters, digits, '-', '_', '.', not "
                 "beginning with '-' or '.'), found \"" +
                     printable(name) + "\"");
  }
  if (!document.is_object()) {
    problems.add(path, "expected an object, found " + detail::shown(document));
    return app;
  }
  Section section(problems, &document, path);
  std::string runtime;
  section.require("runtime", "\"compose\" or \"process\"");
  section.text("runtime", runtime);
  // Both are asked for, so that neither is "unknown" beside a runtime that is misspelt.
  const bool has_compose = section.any("compose") != nullptr;
  const bool has_process = section.any("process") != nullptr;
  if (runtime == "compose") {
    app.runtime = read_compose(section);
    if (has_process) {
      problems.add(path + ".process", "expected only with \"runtime\": \"process\"");
    }
  } else if (runtime == "process") {
    app.runtime = read_process(section);
    if (has_compose) {
      problems.add(path + ".compose", "expected only with \"runtime\": \"compose\"");
    }
  } else if (!runtime.empty()) {
    section.wrong("runtime", "\"compose\" or \"process\"");
  }
  section.duration("healthy_within", app.healthy_within, milliseconds{100}, hours{24});
  read_drain(section, app);
  app.canary = read_canary(section);
  section.duration("soak", app.soak, milliseconds{0}, hours{24});
  section.duration("keep_old", app.keep_old, milliseconds{0}, hours{24 * 30});
  section.duration("deploy_within", app.deploy_within, milliseconds{1'000}, hours{24 * 7});
  section.number("keep_releases", app.keep_releases, 1, 100);
  section.number("keep_traces", app.keep_traces, 1, 10'000);
  app.smoke = read_smoke(section);
  app.hooks = read_hooks(section, runtime == "process");
  return app;
}

void read_document(Problems& problems, const json& document, Config& config) {
  if (!document.is_object()) {
    problems.add("", "expected an object, found " + detail::shown(document));
    return;
  }
  Section top(problems, &document, "");
  std::string schema;
  top.absolute_path("control", config.control);
  top.absolute_path("telemetry", config.telemetry);
  top.absolute_path("trace_dir", config.trace_dir);
  top.absolute_path("run_dir", config.run_dir);
  top.require("apps", "an object with at least one application");
  top.text("$schema", schema);
  config.notify = read_notify(top);
  const json* apps = top.object("apps");
  if (apps == nullptr) {
    return;
  }
  if (apps->empty()) {
    top.wrong("apps", "at least one application");
  }
  if (apps->size() > shm::kMaxApps) {
    problems.add("apps", "expected at most " + std::to_string(shm::kMaxApps) +
                             " applications, found " + std::to_string(apps->size()));
  }
  for (const auto& [name, app] : apps->items()) {
    config.apps[name] = read_app(problems, name, app);
  }
}

// A key that stands twice would silently win over the first one: the parser's callback sees both.
class DuplicateKeys {
 public:
  explicit DuplicateKeys(Problems& problems) : problems_(problems) {}

  bool operator()(json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      keys_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys_.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!keys_.back().insert(key).second) {
        problems_.add(printable(key), "the key stands twice in one object");
      }
    }
    return true;
  }

 private:
  Problems& problems_;
  std::vector<std::set<std::string>> keys_;
};

std::string place_of(const std::string& text, std::size_t byte) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n' ? 1 : 0;
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

Result<std::string> read_file(const std::string& path) {
  shm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return fail(
        ExitCode::kUsage,
        path + ": the configuration cannot be read: " + std::generic_category().message(errno),
        errno == ENOENT ? "name it with --config or BGCTL_CONFIG, or give --control, "
                          "--telemetry and --app"
                        : "");
  }
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return fail(ExitCode::kUsage, path + ": the configuration cannot be read: " +
                                        std::generic_category().message(errno));
    }
    if (got == 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargest) {
      return fail(ExitCode::kUsage, path + ": expected a configuration of at most " +
                                        std::to_string(kLargest) + " bytes, found more");
    }
  }
}

}  // namespace

Result<Config> parse_config(const std::string& text, const std::string& name) {
  Problems problems;
  json document;
  try {
    DuplicateKeys duplicates(problems);
    document = json::parse(
        text,
        [&duplicates](int /*depth*/, json::parse_event_t event, json& parsed) {
          return duplicates(event, parsed);
        },
        true, true);
  } catch (const json::parse_error& error) {
    // The library's text says where and what in its own words, after its error id.
    const std::string what = error.what();
    const std::size_t colon = what.find(": ");
    return fail(ExitCode::kUsage,
                name + ": not JSON at " + place_of(text, error.byte) + ": " +
                    printable(colon == std::string::npos ? what : what.substr(colon + 2)));
  } catch (const json::out_of_range& error) {
    // A number that no double can hold; where it stands the library does not say.
    const std::string what = error.what();
    const std::size_t space = what.find("] ");
    return fail(
        ExitCode::kUsage,
        name + ": " + printable(space == std::string::npos ? what : what.substr(space + 2)));
  }
  Config config;
  read_document(problems, document, config);
  if (problems.lines.empty()) {
    return config;
  }
  if (problems.lines.size() == 1) {
    return fail(ExitCode::kUsage, name + ": " + problems.lines.front());
  }
  std::string all = name + ": " + std::to_string(problems.lines.size()) + " problems";
  for (const std::string& line : problems.lines) {
    all += "\n  " + line;
  }
  return fail(ExitCode::kUsage, all);
}

Result<Config> load_config(const std::string& path) {
  const auto text = read_file(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto config = parse_config(*text, path);
  if (const char* run_dir = std::getenv("BGCTL_RUN_DIR"); config && run_dir && *run_dir) {
    config->run_dir = run_dir;
  }
  return config;
}

}  // namespace bluegreen
