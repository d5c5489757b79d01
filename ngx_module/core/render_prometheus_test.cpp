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
