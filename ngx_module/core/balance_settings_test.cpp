// bluegreen_balance's parameters: see balance_settings.hpp.
#include "ngx_module/core/balance_settings.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen::core;

TEST_CASE("Balance settings are round robin and NGINX's defaults until they are said") {
  const BalanceSettings settings;
  CHECK(settings.method == Method::kRoundRobin);
  CHECK(settings.rules.max_fails == 1);
  CHECK(settings.rules.fail_timeout_ms == 10000);
  CHECK(settings.rules.slow_start_ms == 0);
}

TEST_CASE("Balance settings take what they know, up to its limits") {
  BalanceSettings settings;
  CHECK(parse_method("least_conn", settings) == nullptr);
  CHECK(parse_balance("max_fails=1000000", settings) == nullptr);
  CHECK(parse_balance("fail_timeout=1500ms", settings) == nullptr);
  CHECK(parse_balance("slow_start=1d", settings) == nullptr);
  CHECK(settings.method == Method::kLeastConn);
  CHECK(settings.rules.max_fails == 1000000);
  CHECK(settings.rules.fail_timeout_ms == 1500);
  CHECK(settings.rules.slow_start_ms == 86400000);
  CHECK(parse_method("round_robin", settings) == nullptr);
  CHECK(settings.method == Method::kRoundRobin);
}

TEST_CASE("Balance settings refuse what they do not know, and say what they expected") {
  const std::string text = GENERATE(
      "", "max_fails", "max_fails=", "max_fails=-1", "max_fails=1000001",
      "max_fails=99999999999999999999", "fail_timeout=0", "fail_timeout=25h", "fail_timeout=1x",
      "fail_timeout=", "slow_start=-1s", "slow_start=2d", "weight=2", "MAX_FAILS=1");
  BalanceSettings settings;
  const char* const expected = parse_balance(text, settings);
  REQUIRE(expected != nullptr);
  CHECK(std::string(expected).find('=') != std::string::npos);
  CHECK(parse_method(text, settings) != nullptr);
}

TEST_CASE("Balance settings refuse a parameter that was there") {
  BalanceSettings settings;
  CHECK(parse_balance("max_fails=2", settings) == nullptr);
  CHECK(std::string(parse_balance("max_fails=2", settings)) == "each parameter once");
}
