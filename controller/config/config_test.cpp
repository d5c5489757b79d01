// Tests of config.hpp: one good document, then a table of one bad line each with its message.
#include "controller/config/config.hpp"

#include <catch2/catch.hpp>

#include "controller/config/duration.hpp"

namespace bluegreen {
namespace {

constexpr const char* kGood = R"({
  // Comments are allowed.
  "control": "/c/control", "telemetry": "/t/telemetry", "trace_dir": "/d",
  "apps": {
    "app": {"runtime": "compose",
      "compose": {"project": "staging", "file": "/opt/staging/compose.yaml", "port": 8000,
        "services": {"blue": "b", "green": "g"},
        "image_variables": {"blue": "BLUE", "green": "GREEN"}},
      "healthy_within": "90s", "drain": {"timeout": "500ms", "then": "wait"}, "soak": "1m",
      "keep_old": "0s", "keep_releases": 5},
    "tool": {"runtime": "process",
      "process": {"command": ["/srv/{image}", "--port", "{port}"],
        "ports": {"blue": 8101, "green": 8102}, "health": "/up", "stop_timeout": "3s",
        "environment": {"A": "b"}, "directory": "/srv"}}}})";

struct Case {
  const char* good;  // a piece of kGood
  const char* bad;   // what stands there instead
  const char* message;
};

const Case kCases[] = {
    {R"("control": "/c/control")", R"("control": "c")",
     R"(control: expected an absolute path, found "c")"},
    {R"("control": "/c/control")", R"("controll": "/c")",
     "controll: unknown key, expected one of control, telemetry, trace_dir, run_dir, apps, "
     "$schema, notify"},
    {R"("runtime": "compose")", R"("runtime": "docker")",
     R"(apps.app.runtime: expected "compose" or "process", found "docker")"},
    {R"("runtime": "compose",)", "",
     R"(apps.app.runtime: required: expected "compose" or "process", found nothing)"},
    {R"("port": 8000)", R"("port": "8000")",
     R"(apps.app.compose.port: expected a whole number from 1 to 65535, found "8000")"},
    {R"("port": 8000)", R"("port": 0)",
     "apps.app.compose.port: expected a whole number from 1 to 65535, found 0"},
    {R"("port": 8000)", R"("port": 65536)",
     "apps.app.compose.port: expected a whole number from 1 to 65535, found 65536"},
    {R"("port": 8000)", R"("port": -1)",
     "apps.app.compose.port: expected a whole number from 1 to 65535, found -1"},
    {R"("port": 8000)", R"("port": 80.5)",
     "apps.app.compose.port: expected a whole number from 1 to 65535, found 80.5"},
    {R"(, "port": 8000)", "",
     "apps.app.compose.port: required: expected the port that the application listens on in its "
     "container, found nothing"},
    {R"("file": "/opt/staging/compose.yaml", )", "",
     "apps.app.compose.file: required: expected the path of the Compose file, found nothing"},
    {R"("project": "staging")", R"("project": "Staging")",
     "apps.app.compose.project: expected a Compose project name (a-z, 0-9, '_', '-'), found "
     "\"Staging\""},
    {R"({"blue": "b", "green": "g"})", R"({"blue": "b", "green": "b"})",
     R"(apps.app.compose.services: expected two different values, found {"blue":"b","green":"b"})"},
    {R"({"blue": "b", "green": "g"})", R"({"blue": "b", "red": "g"})",
     "apps.app.compose.services.red: unknown key, expected one of blue, green"},
    {R"("blue": "BLUE")", R"("blue": "1BLUE")",
     R"(apps.app.compose.image_variables.blue: expected a variable name, found "1BLUE")"},
    {R"("project": "staging")", R"("docker_host": "tcp://h:1")",
     "apps.app.compose.docker_host: expected the engine's socket as unix:///PATH, found "
     "\"tcp://h:1\""},
    {R"("healthy_within": "90s")", R"("healthy_within": "90")",
     R"(apps.app.healthy_within: expected a duration from "100ms" to "24h", as in "30s", "10m" or )"
     R"("500ms", found "90")"},
    {R"("healthy_within": "90s")", R"("healthy_within": "25h")",
     R"(apps.app.healthy_within: expected a duration from "100ms" to "24h", as in "30s", "10m" or )"
     R"("500ms", found "25h")"},
    {R"("then": "wait")", R"("then": "kill")",
     R"(apps.app.drain.then: expected "stop", "wait" or "rollback", found "kill")"},
    {R"("drain": {"timeout": "500ms", "then": "wait"})", R"("drain": "30s")",
     R"(apps.app.drain: expected an object, found "30s")"},
    {R"("keep_releases": 5)", R"("keep_releases": 0)",
     "apps.app.keep_releases: expected a whole number from 1 to 100, found 0"},
    {R"("keep_releases": 5)", R"("process": {})",
     R"(apps.app.process: expected only with "runtime": "process")"},
    {R"("command": ["/srv/{image}", "--port", "{port}"])", R"("command": "/srv/x")",
     R"(apps.tool.process.command: expected a list of texts, the program first, found "/srv/x")"},
    {R"("command": ["/srv/{image}", "--port", "{port}"])", R"("command": [])",
     "apps.tool.process.command: expected a list of texts, the program first, found []"},
    {R"("green": 8102)", R"("green": 8101)",
     R"(apps.tool.process.ports: expected two different values, found {"blue":8101,"green":8101})"},
    {R"(, "green": 8102)", "",
     "apps.tool.process.ports.green: required: expected a port, found nothing"},
    {R"("health": "/up")", R"("health": "up")",
     R"(apps.tool.process.health: expected a path that begins with /, found "up")"},
    {R"({"A": "b"})", R"({"A=": "b"})",
     "apps.tool.process.environment.A=: expected a variable name (letters, digits, '_'), found "
     "\"A=\""},
    {R"({"A": "b"})", R"({"A": 1})", "apps.tool.process.environment.A: expected a text, found 1"},
    {R"("tool": {)", R"("-x": {)",
     "apps.-x: expected an application name (1 to 63 letters, digits, '-', '_', '.', not beginning "
     "with '-' or '.'), found \"-x\""},
    {R"("soak": "1m")", R"("soak": "1m", "soak": "2m")",
     "soak: the key stands twice in one object"},
    {R"("keep_old": "0s", )", "\"keep_old\": \"0s\",, ",
     "not JSON at line 10, column 24: syntax error while parsing object key - unexpected ','; "
     "expected string literal"},
};

std::string with(const Case& item) {
  std::string text = kGood;
  const std::size_t at = text.find(item.good);
  REQUIRE(at != std::string::npos);
  return text.replace(at, std::string(item.good).size(), item.bad);
}

}  // namespace

TEST_CASE("parse_config: a whole document") {
  const auto config = parse_config(kGood, "f");
  REQUIRE(config);
  CHECK(config->control == "/c/control");
  CHECK(config->run_dir == "/run/bgctl");
  REQUIRE(config->apps.size() == 2);
  const AppConfig& app = config->apps.at("app");
  CHECK(app.name == "app");
  CHECK(app.healthy_within == milliseconds(90'000));
  CHECK(app.drain_timeout == milliseconds(500));
  CHECK(app.drain_then == AfterDrainTimeout::kWait);
  CHECK(app.soak == milliseconds(60'000));
  CHECK(app.keep_old == milliseconds(0));
  CHECK(app.keep_releases == 5);
  const auto& compose = std::get<ComposeConfig>(app.runtime);
  CHECK(compose.file == "/opt/staging/compose.yaml");
  CHECK(compose.env_file == "/opt/staging/images.env");
  CHECK(compose.services[1] == "g");
  const auto& process = std::get<ProcessConfig>(config->apps.at("tool").runtime);
  CHECK(process.command.size() == 3);
  CHECK(process.ports[1] == 8102);
  CHECK(process.environment.at("A") == "b");
}

TEST_CASE("parse_config: what is not given has the contract's default") {
  const auto config =
      parse_config(R"({"apps":{"a":{"runtime":"compose","compose":{"file":"/f","port":1}}}})", "f");
  REQUIRE(config);
  const AppConfig& app = config->apps.at("a");
  CHECK(config->control == "/var/lib/bluegreen/control");
  CHECK(app.keep_old == milliseconds(600'000));
  CHECK(app.drain_timeout == milliseconds(30'000));
  CHECK(std::get<ComposeConfig>(app.runtime).services[0] == "app_blue");
}

TEST_CASE("parse_config: one bad line, its message") {
  for (const Case& item : kCases) {
    const auto config = parse_config(with(item), "/etc/bgctl.json");
    INFO(item.bad);
    REQUIRE_FALSE(config);
    CHECK(config.error().what == std::string("/etc/bgctl.json: ") + item.message);
    CHECK(config.error().code == ExitCode::kUsage);
  }
}

TEST_CASE("parse_config: everything that is wrong is told at once") {
  const auto config =
      parse_config(R"({"x":1,"control":2,"apps":{"a":{"runtime":"process"}}})", "f");
  REQUIRE_FALSE(config);
  CHECK(config.error().what ==
        "f: 3 problems\n"
        "  control: expected an absolute path, found 2\n"
        "  apps.a.process: required: expected an object with command and ports, found nothing\n"
        "  x: unknown key, expected one of control, telemetry, trace_dir, run_dir, apps, $schema, "
        "notify");
}

TEST_CASE("parse_config: what is no configuration at all is refused") {
  for (const char* text :
       {"", "{", "[]", "3", "{\"apps\":{}}", "{\"apps\":[]}", "\"\\u0000\"", "\xff"}) {
    CHECK_FALSE(parse_config(text, "f"));
  }
}

TEST_CASE(
    "parse_config: a number that nothing can hold is refused, not thrown out of the program") {
  const auto config = parse_config("{\"apps\": 1e999}", "c.json");
  REQUIRE_FALSE(config);
  CHECK(config.error().code == ExitCode::kUsage);
  CHECK(config.error().what == "c.json: number overflow parsing '1e999'");
}

TEST_CASE("load_config: a file that is not there is named") {
  const auto config = load_config("/nowhere/bgctl.json");
  REQUIRE_FALSE(config);
  CHECK(config.error().what ==
        "/nowhere/bgctl.json: the configuration cannot be read: No such file or directory");
}

TEST_CASE("durations are said in the longest unit that fits") {
  CHECK(duration_text(milliseconds(7'200'000)) == "2h");
  CHECK(duration_text(milliseconds(5'400'000)) == "90m");
  CHECK(duration_text(milliseconds(90'000)) == "90s");
  CHECK(duration_text(milliseconds(1'500)) == "1500ms");
  CHECK(duration_text(milliseconds(0)) == "0ms");
}

TEST_CASE("parse_duration: a number and a unit, nothing else") {
  CHECK(parse_duration("500ms") == milliseconds(500));
  CHECK(parse_duration("30s") == milliseconds(30'000));
  CHECK(parse_duration("10m") == milliseconds(600'000));
  CHECK(parse_duration("2h") == milliseconds(7'200'000));
  CHECK(parse_duration("0s") == milliseconds(0));
  for (const char* text : {"", "s", "1", "-1s", "+1s", " 1s", "1 s", "1.5s", "1sec", "1d",
                           "99999999999999999999s", "9000h", "1s "}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text));
  }
}

}  // namespace bluegreen
