// Tests of smoke_config.hpp: one good document, then a table of one bad piece each.
#include "controller/config/smoke_config.hpp"

#include <catch2/catch.hpp>

#include "controller/config/config.hpp"

namespace bluegreen {
namespace {

const std::string kSmokeBefore = R"({"apps": {"tool": {"runtime": "process",
  "process": {"command": ["/x"], "ports": {"blue": 1, "green": 2}}, "smoke": )";
const std::string kSmokeGood = R"({"url": "http://127.0.0.1:8080", "header": "X-Preview",
  "secret_file": "/s", "host": "example.com", "checks": [
   {"path": "/a?b=c", "method": "POST", "headers": {"Accept": "x/y"}, "status": "200-204",
    "header": {"Content-Type": "json"}, "body": "ok", "within": "2s"},
   {"path": "/", "status": 301}]})";

Result<Config> parse_smoke(const std::string& smoke) {
  return parse_config(kSmokeBefore + smoke + "}}}", "c");
}

TEST_CASE("smoke checks are read with all that they say, and with defaults") {
  const auto config = parse_smoke(kSmokeGood);
  REQUIRE(config);
  const SmokeConfig& smoke = *config->apps.at("tool").smoke;
  CHECK(smoke.url == "http://127.0.0.1:8080");
  CHECK(smoke.header == "X-Preview");
  CHECK(smoke.host == "example.com");
  REQUIRE(smoke.checks.size() == 2);
  const SmokeCheck& first = smoke.checks[0];
  CHECK(first.path == "/a?b=c");
  CHECK(first.method == "POST");
  CHECK(first.headers.at("Accept") == "x/y");
  CHECK(first.least_status == 200);
  CHECK(first.most_status == 204);
  CHECK(first.header.at("Content-Type") == "json");
  CHECK(first.body == "ok");
  CHECK(first.within == milliseconds(2'000));
  CHECK(smoke.checks[1].least_status == 301);
  CHECK(smoke.checks[1].most_status == 301);
  CHECK(smoke.checks[1].method == "GET");
  CHECK(smoke.checks[1].within == milliseconds(5'000));
}

TEST_CASE("what is wrong in smoke is told with its path") {
  struct WrongSmoke {
    const char* good;
    const char* bad;
    const char* told;
  };
  const WrongSmoke cases[] = {
      {R"("url": "http://127.0.0.1:8080", )", "", "apps.tool.smoke.url: required"},
      {R"("http://127.0.0.1:8080")", R"("http://h/path")",
       "apps.tool.smoke.url: expected http:// or https:// with a host"},
      {R"("http://127.0.0.1:8080")", R"("127.0.0.1:8080")",
       "apps.tool.smoke.url: expected http://"},
      {R"("X-Preview")", R"("X Preview")", "apps.tool.smoke.header: expected a header's name"},
      {R"("/s")", R"("s")", "apps.tool.smoke.secret_file: expected an absolute path"},
      {R"("/a?b=c")", R"("a")",
       "apps.tool.smoke.checks.0.path: expected a path that begins with /"},
      {R"("/a?b=c")", R"("/a b")", "apps.tool.smoke.checks.0.path: expected a path"},
      {R"("path": "/a?b=c", )", "", "apps.tool.smoke.checks.0.path: required"},
      {R"("POST")", R"("post")", "apps.tool.smoke.checks.0.method: expected a method in capitals"},
      {R"("x/y")", R"("x\r\nHost: y")",
       "apps.tool.smoke.checks.0.headers.Accept: expected a text without control characters"},
      {R"("Accept")", R"("Acc ept")",
       "apps.tool.smoke.checks.0.headers.Acc ept: expected a header's name"},
      {R"("200-204")", R"("204-200")", "apps.tool.smoke.checks.0.status: expected a status"},
      {R"("200-204")", R"("2xx")", "apps.tool.smoke.checks.0.status: expected a status"},
      {"301", "99", "apps.tool.smoke.checks.1.status: expected a status"},
      {R"("2s")", R"("2")", "apps.tool.smoke.checks.0.within: expected a duration"},
      {R"("body")", R"("bodies")", "apps.tool.smoke.checks.0.bodies: unknown key"},
  };
  for (const WrongSmoke& one : cases) {
    std::string text = kSmokeGood;
    const std::size_t at = text.find(one.good);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string(one.good).size(), one.bad);
    const auto config = parse_smoke(text);
    INFO(one.bad);
    REQUIRE_FALSE(config);
    CHECK(config.error().what.find(one.told) != std::string::npos);
    CHECK(config.error().what.find("problems") == std::string::npos);
  }
  CHECK(parse_smoke(R"({"url": "http://h", "secret_file": "/s", "checks": []})")
            .error()
            .what.find("apps.tool.smoke.checks: expected a list of at least one request") !=
        std::string::npos);
}

}  // namespace
}  // namespace bluegreen
