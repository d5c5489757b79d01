// "notify": what is read, and each thing that is refused with its path.
#include "controller/config/notify_config.hpp"

#include <catch2/catch.hpp>

#include "controller/config/config.hpp"

namespace bluegreen {
namespace {

Result<Config> with_notify(const std::string& notify) {
  return parse_config(R"({"notify": )" + notify + R"(,
    "apps": {"a": {"runtime": "process",
                   "process": {"command": ["/x"], "ports": {"blue": 1, "green": 2}}}}})",
                      "test");
}

}  // namespace

TEST_CASE("notify: a target with everything, and one with its defaults") {
  const auto config = with_notify(
      R"([{"url": "https://h.example/x?y", "format": "slack", "secret_file": "/s",
           "on": ["failed", "rolled_back"]}, {"url_file": "/u"}])");
  REQUIRE(config);
  REQUIRE(config->notify.size() == 2);
  CHECK(config->notify[0].url == "https://h.example/x?y");
  CHECK(config->notify[0].format == NotifyFormat::kSlack);
  CHECK(config->notify[0].secret_file == "/s");
  CHECK(config->notify[0].on == std::vector<std::string>{"failed", "rolled_back"});
  CHECK(config->notify[1].url_file == "/u");
  CHECK(config->notify[1].format == NotifyFormat::kJson);
  CHECK(config->notify[1].on.empty());
}

TEST_CASE("notify: whatever is wrong is told with its path") {
  struct Case {
    const char* notify;
    const char* told;
  };
  const Case cases[] = {
      {"{}", "notify: expected a list of at most 20 objects"},
      {"[1]", "notify[0]: expected an object, found 1"},
      {"[{}]", R"(notify[0].url: expected an address)"},
      {R"([{"url": "ftp://x"}])", R"(notify[0].url: expected an address)"},
      {R"([{"url": "https://u:p@x"}])", "has no user in it"},
      {R"([{"url": "https://"}])", R"(notify[0].url: expected an address)"},
      {R"([{"url": "http://a b"}])", R"(notify[0].url: expected an address)"},
      {R"([{"url": "http://a", "url_file": "/u"}])",
       R"(notify[0].url_file: expected only without)"},
      {R"([{"url_file": "u"}])", "notify[0].url_file: expected an absolute path"},
      {R"([{"url": "http://a", "format": "xml"}])",
       R"(notify[0].format: expected "json" or "slack", found "xml")"},
      {R"([{"url": "http://a", "secret_file": "s"}])",
       "notify[0].secret_file: expected an absolute path"},
      {R"([{"url": "http://a", "on": []}])", "notify[0].on: expected a list of at least one of"},
      {R"([{"url": "http://a", "on": ["done"]}])", R"("deployed", "rolled_back")"},
      {R"([{"url": "http://a", "secret": "x"}])", "notify[0].secret: unknown key"},
  };
  for (const Case& one : cases) {
    const auto config = with_notify(one.notify);
    REQUIRE_FALSE(config);
    INFO(one.notify << ": " << config.error().what);
    CHECK(config.error().what.find(one.told) != std::string::npos);
  }
}

}  // namespace bluegreen
