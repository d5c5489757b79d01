// Parameters of bluegreen_hold and bluegreen_maintenance.
#include "ngx_module/core/gate_settings.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen::core;

TEST_CASE("parse_hold: each parameter, and the defaults") {
  HoldSettings settings;
  CHECK(settings.timeout_ms == 30000);
  CHECK(settings.max == 10000);
  CHECK(settings.retry_after_s == 1);
  CHECK(parse_hold("timeout=1m30s", settings) == nullptr);
  CHECK(parse_hold("max=0", settings) == nullptr);
  CHECK(parse_hold("retry_after=5", settings) == nullptr);
  CHECK(settings.timeout_ms == 90000);
  CHECK(settings.max == 0);
  CHECK(settings.retry_after_s == 5);
}

TEST_CASE("parse_hold: what does not fit is refused with what was expected") {
  for (const char* text :
       {"", "timeout", "timeout=", "timeout=0", "timeout=25h", "timeout=abc", "max=", "max=-1",
        "max=1000001", "max=99999999999999999999", "max=1k", "retry_after=0", "retry_after=500ms",
        "retry_after=25h", "depth=1", "TIMEOUT=1s", "timeoutx=1s"}) {
    HoldSettings settings;
    INFO(text);
    CHECK(parse_hold(text, settings) != nullptr);
    CHECK(settings.timeout_ms == 30000);
    CHECK(settings.max == 10000);
  }
  HoldSettings twice;
  CHECK(parse_hold("max=5", twice) == nullptr);
  REQUIRE(parse_hold("max=6", twice) != nullptr);
  CHECK(std::string(parse_hold("max=6", twice)) == "\"max=N\" with N from 0 to 1000000, once");
  CHECK(twice.max == 5);
}

TEST_CASE("parse_maintenance: page, type and Retry-After") {
  MaintenanceSettings settings;
  CHECK(parse_maintenance("page=sorry.html", settings) == nullptr);
  CHECK(parse_maintenance("type=text/html; charset=utf-8", settings) == nullptr);
  CHECK(parse_maintenance("retry_after=2m", settings) == nullptr);
  CHECK(settings.page == "sorry.html");
  CHECK(settings.type == "text/html; charset=utf-8");
  CHECK(settings.retry_after_s == 120);
  for (const char* text : {"page=", "page=other", "type=html", "type=/x", "type=x/", "type=a/b/c",
                           "type=a/b\r\nX: y", "retry_after=1ms", "url=/x"}) {
    MaintenanceSettings fresh;
    fresh.seen = text == std::string("page=other") ? 1 : 0;
    INFO(text);
    CHECK(parse_maintenance(text, fresh) != nullptr);
    CHECK(fresh.page.empty());
  }
}
