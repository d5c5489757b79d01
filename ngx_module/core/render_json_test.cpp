// The status document: see render_json.hpp.
#include "ngx_module/core/render_json.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

using namespace bluegreen;

namespace {

std::string time_of(std::uint64_t seconds) {
  char buffer[64];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_time(out, seconds * 1000000000U);
  return {buffer, out.needed()};
}

core::AppStatus app_with(const shm::Endpoint* endpoints, std::uint32_t count) {
  core::AppStatus app;
  app.name = "app";
  app.source = "region";
  app.generation = 1234567890123U;
  app.route.active = shm::Color::kGreen;
  app.route.weight = 250;
  app.route.flags = shm::kFallback | shm::kClosedBlue;
  app.colors[0] = {"v1", {3, 40, 0, 0, 0, 0, 7}, 0, nullptr, 0, nullptr, 0, {}};
  app.colors[1] = {
      "v\"2", {0, 1, 0, 0, 0, 0, 0}, 1767225600000000000U, endpoints, count, nullptr, 0, {}};
  return app;
}

}  // namespace

TEST_CASE("Time is RFC 3339 in UTC, leap days and centuries included") {
  CHECK(time_of(0) == "1970-01-01T00:00:00Z");
  CHECK(time_of(951782400) == "2000-02-29T00:00:00Z");
  CHECK(time_of(951868799) == "2000-02-29T23:59:59Z");
  CHECK(time_of(951868800) == "2000-03-01T00:00:00Z");
  CHECK(time_of(1709164800) == "2024-02-29T00:00:00Z");
  CHECK(time_of(4107542400) == "2100-03-01T00:00:00Z");
  CHECK(time_of(1767225600) == "2026-01-01T00:00:00Z");
}

TEST_CASE("Document has the contract's shape") {
  shm::Endpoint endpoint{};
  REQUIRE(shm::parse_endpoint("172.20.0.5:8000", endpoint));
  core::StatusHead head;
  head.control_state = "ok";
  head.control_path = "/c";
  head.telemetry_state = "missing";
  head.inexact = true;
  head.instance = 0xAB;
  head.prober_pid = 7;
  head.prober_epoch = 3;
  head.now_unix_ns = 1767225600078999999U;
  char buffer[8192];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_head(out, head);
  core::render_app(out, app_with(&endpoint, 1), true);
  core::render_tail(out, head, {});
  CHECK(
      std::string(buffer, out.needed()) ==
      R"({"schema":1,"now":"2026-01-01T00:00:00.078Z","control":{"state":"ok","path":"/c"},)"
      R"("telemetry":{"state":"missing","path":"","inexact":true},)"
      R"("workers":{"live":0,"attached":0},"instance":"00000000000000ab",)"
      R"("prober":{"pid":7,"epoch":3},"apps":{"app":{"active":"green",)"
      R"("generation":1234567890123,"weight":250,"flags":["fallback","closed_blue"],)"
      R"("release":"v\"2","flipped":null,"source":"region","colors":{"blue":{"release":"v1","in_flight":3,)"
      R"("requests":40,"waiting":0,"weighted":0,"previews":0,"fallbacks":0,"refused":7,)"
      R"("responses":{"1xx":0,"2xx":0,"3xx":0,"4xx":0,"5xx":0,"none":0},"tries":0,"failures":0,)"
      R"("retries":0,"connect_errors":0,"timeouts":0,"other_errors":0,"bytes_in":0,"bytes_out":0,)"
      R"("latency":{"connect":{"count":0,"sum_ms":0.000,"p50_ms":0.000,"p90_ms":0.000,)"
      R"("p99_ms":0.000},"first_byte":{"count":0,"sum_ms":0.000,"p50_ms":0.000,"p90_ms":0.000,)"
      R"("p99_ms":0.000},"total":{"count":0,"sum_ms":0.000,"p50_ms":0.000,"p90_ms":0.000,)"
      R"("p99_ms":0.000}},)"
      R"("endpoints":[]},"green":{"release":"v\"2","in_flight":0,"requests":1,"waiting":0,)"
      R"("weighted":0,"previews":0,"fallbacks":0,"refused":0,)"
      R"("responses":{"1xx":0,"2xx":0,"3xx":0,"4xx":0,"5xx":0,"none":0},"tries":0,"failures":0,)"
      R"("retries":0,"connect_errors":0,"timeouts":0,"other_errors":0,"bytes_in":0,"bytes_out":0,)"
      R"("latency":{"connect":{"count":0,"sum_ms":0.000,"p50_ms":0.000,"p90_ms":0.000,)"
      R"("p99_ms":0.000},"first_byte":{"count":0,"sum_ms":0.000,"p50_ms":0.000,"p90_ms":0.000,)"
      R"("p99_ms":0.000},"total":{"count":0,"sum_ms":0.000,"p50_ms":0.000,"p90_ms":0.000,)"
      R"("p99_ms":0.000}},)"
      R"("endpoints":[{"address":"172.20.0.5:8000","weight":1,"health":"unknown",)"
      R"("since":"2026-01-01T00:00:00Z","last_error":"","status":0,"latency_ms":0.000,)"
      R"("checked":null,"probes":0,"failures":0}]}}}},"events":[]})"
      "\n");
}

TEST_CASE("Document gives its reason when the control file is not whole") {
  core::StatusHead head;
  head.control_state = "damaged";
  head.control_reason = "too short";
  char buffer[8192];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_head(out, head);
  CHECK(std::string(buffer, out.needed()).find(R"("path":"","reason":"too short"})") !=
        std::string::npos);
}

TEST_CASE("An application that is held says how long at most") {
  char buffer[8192];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::AppStatus app = app_with(nullptr, 0);
  app.route.flags = shm::kHold | shm::kMaintenance;
  app.hold_left_ms = 1500;
  core::render_app(out, app, true);
  CHECK(std::string(buffer, out.needed())
            .find(R"("flags":["hold","maintenance"],"hold":{"left_ms":1500},"release")") !=
        std::string::npos);
}

TEST_CASE("Applications are separated by commas") {
  char buffer[8192];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_app(out, app_with(nullptr, 0), false);
  CHECK(buffer[0] == ',');
}

TEST_CASE("Endpoint shows what probes found out about it, and nothing about its predecessor") {
  shm::Endpoint endpoint{};
  REQUIRE(shm::parse_endpoint("10.0.0.1:80", endpoint));
  static shm::HealthRecord records[shm::kMaxEndpoints];
  shm::HealthDetail detail{};
  detail.tag = shm::tag_of(endpoint, 5);
  detail.since_unix_ns = detail.checked_unix_ns = 1767225600500000000U;
  detail.probes = 9;
  detail.failures = 4;
  detail.latency_us = 12034;
  detail.status = 503;
  detail.health = static_cast<std::uint8_t>(shm::Health::kUnhealthy);
  std::memcpy(detail.last_error, "status \"503\"", 13);
  REQUIRE(shm::write_health(records[0], 2, detail));
  core::AppStatus app = app_with(&endpoint, 1);
  app.colors[1].health = records;
  std::uint64_t tag = shm::tag_of(endpoint, 5);
  app.colors[1].tags = &tag;
  char buffer[4096];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_app(out, app, true);
  CHECK(std::string(buffer, out.needed())
            .find(R"("health":"unhealthy","since":"2026-01-01T00:00:00Z",)"
                  R"("last_error":"status \"503\"","status":503,"latency_ms":12.034,)"
                  R"("checked":"2026-01-01T00:00:00.500Z","probes":9,"failures":4})") !=
        std::string::npos);
  tag = shm::tag_of(endpoint, 6);
  core::BoundedWriter again(buffer, sizeof(buffer));
  core::render_app(again, app, true);
  CHECK(std::string(buffer, again.needed()).find("unhealthy") == std::string::npos);
}

TEST_CASE("Events are shown newest first, and only whole ones") {
  static shm::EventRing ring;
  shm::Event event{};
  event.kind = static_cast<std::uint32_t>(shm::EventKind::kFlip);
  event.app = 1;
  event.color = 1;
  event.after = 1;
  shm::add_event(ring, event);
  shm::add_event(ring, event);
  event.kind = static_cast<std::uint32_t>(shm::EventKind::kHealth);
  event.app = shm::kNobody;
  event.after = 2;
  shm::add_event(ring, event);
  ring.events[1].weight = 1;  // half written
  core::StatusHead head;
  head.events = &ring;
  std::string_view names[shm::kMaxApps];
  names[1] = "shop";
  char buffer[8192];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_tail(out, head, names);
  const std::string text(buffer, out.needed());
  CHECK(text.find(R"(,"events":[{"number":3,)") == 1);
  CHECK(text.find(R"("number":2)") == std::string::npos);
  CHECK(text.find(R"("before":"unknown","after":"unhealthy")") < text.find(R"("number":1)"));
  CHECK(
      text.find(R"("app":"shop","color":"green","endpoint":"","before":"blue","after":"green")") !=
      std::string::npos);
}
