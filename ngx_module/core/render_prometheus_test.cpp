// The status document as metrics: see render_prometheus.hpp.
#include "ngx_module/core/render_prometheus.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen;

namespace {

std::string metrics(bool open_metrics) {
  core::StatusHead head;
  head.control_state = "damaged";
  head.control_reason = "it\"s \\ gone";
  head.telemetry_state = "ok";
  head.live_workers = 4;
  head.started_unix_ns = 1767225600012000000U;
  core::AppStatus app;
  app.name = "a\n\xFF";
  app.route.active = shm::Color::kGreen;
  app.route.weight = 250;
  app.route.flags = shm::kHold;
  app.colors[1].release = "v2";
  core::Buckets buckets;
  ++buckets.counts[shm::bucket_of(100)];
  ++buckets.counts[shm::bucket_of(20000000)];
  buckets.sum_us = 20000100;
  app.colors[1].traffic.latency[2] = core::latency_of(buckets);
  app.colors[1].figures.requests = 18446744073709551615U;
  static char buffer[65536];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_metrics(out, {&head, &app, 1}, open_metrics);
  REQUIRE_FALSE(out.overflowed());
  return {buffer, out.needed()};
}

bool has(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("Metrics have a help, a type and escaped labels") {
  const std::string text = metrics(false);
  CHECK(text.find("# HELP bluegreen_control_ok ") == 0);
  CHECK(has(text, "bluegreen_control_ok 0"));
  CHECK(has(text, R"(bluegreen_control_info{state="damaged",reason="it\"s \\ gone"} 1)"));
  CHECK(has(text, R"(bluegreen_workers{state="live"} 4)"));
  CHECK(has(text, "bluegreen_start_time_seconds 1767225600.012"));
  CHECK(has(text, R"(bluegreen_active{app="a\n?",color="green"} 1)"));
  CHECK(has(text, R"(bluegreen_weight_ratio{app="a\n?"} 0.0250)"));
  CHECK(has(text, R"(bluegreen_flag{app="a\n?",flag="hold"} 1)"));
  CHECK(has(text, R"(bluegreen_flag{app="a\n?",flag="fallback"} 0)"));
  CHECK(has(text, R"(bluegreen_release_info{app="a\n?",color="green",release="v2"} 1)"));
  CHECK(text.find(R"(color="blue",release)") == std::string::npos);
  CHECK(has(text, "# TYPE bluegreen_requests_total counter"));
  CHECK(has(text, R"(bluegreen_requests_total{app="a\n?",color="green"} 18446744073709551615)"));
  CHECK(has(text, "# TYPE bluegreen_latency_seconds histogram"));
  const std::string total = R"({app="a\n?",color="green",phase="total")";
  CHECK(has(text, "bluegreen_latency_seconds_bucket" + total + R"(,le="0.000256"} 1)"));
  CHECK(has(text, "bluegreen_latency_seconds_bucket" + total + R"(,le="16.777216"} 1)"));
  CHECK(has(text, "bluegreen_latency_seconds_bucket" + total + R"(,le="+Inf"} 2)"));
  CHECK(has(text, "bluegreen_latency_seconds_sum" + total + "} 20.000100"));
  CHECK(has(text, "bluegreen_latency_seconds_count" + total + "} 2"));
  CHECK(text.find("# EOF") == std::string::npos);
}

TEST_CASE("Counters of OpenMetrics have the suffix in their samples only, and the text an end") {
  const std::string text = metrics(true);
  CHECK(has(text, "# TYPE bluegreen_requests counter"));
  CHECK(has(text, R"(bluegreen_requests_total{app="a\n?",color="blue"} 0)"));
  CHECK(text.substr(text.size() - 6) == "# EOF\n");
}

TEST_CASE(
    "Metrics show what was read of an endpoint's probes, and nothing of one that nobody probed") {
  static shm::HealthRecord records[shm::kMaxEndpoints];
  shm::Endpoint endpoints[2];
  REQUIRE(shm::parse_endpoint("10.0.0.1:80", endpoints[0]));
  REQUIRE(shm::parse_endpoint("10.0.0.2:80", endpoints[1]));
  shm::HealthDetail detail{};
  detail.tag = shm::tag_of(endpoints[0], 7);
  detail.health = static_cast<std::uint8_t>(shm::Health::kUnhealthy);
  detail.probes = 9;
  detail.failures = 4;
  detail.latency_us = 1500;
  REQUIRE(shm::write_health(records[0], 1, detail));
  core::StatusHead head;
  core::AppStatus app;
  app.name = "app";
  app.colors[0].endpoints = endpoints;
  app.colors[0].count = 2;
  app.colors[0].health = records;
  const std::uint64_t tags[] = {shm::tag_of(endpoints[0], 7), shm::tag_of(endpoints[1], 7)};
  app.colors[0].tags = tags;
  core::note_probed(app.colors[0]);
  static char buffer[65536];
  core::BoundedWriter out(buffer, sizeof(buffer));
  core::render_metrics(out, {&head, &app, 1}, false);
  const std::string text(buffer, out.needed());
  const std::string labels = R"({app="app",color="blue",address="10.0.0.1:80"})";
  CHECK(has(text, "bluegreen_endpoint_up" + labels + " 0"));
  CHECK(has(text, "bluegreen_endpoint_probes_total" + labels + " 9"));
  CHECK(has(text, "bluegreen_endpoint_probe_failures_total" + labels + " 4"));
  CHECK(has(text, "bluegreen_endpoint_probe_seconds" + labels + " 0.001500"));
  CHECK(text.find("10.0.0.2") == std::string::npos);
}
