// Verdicts and records of probes, through the region's own words: see probe_record.hpp.
#include "ngx_module/core/probe_record.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace bluegreen::core;
using bluegreen::shm::Health;
using bluegreen::shm::health_of;
using bluegreen::shm::HealthRecord;
using bluegreen::shm::text_of;
using bluegreen::shm::write_health;

namespace {

ProbeVerdict verdict(bool success, std::uint64_t latency_us = 500) {
  ProbeVerdict out;
  out.success = success;
  out.latency_us = latency_us;
  set_error(out, success ? "" : "connection refused");
  return out;
}

}  // namespace

TEST_CASE("A verdict names the status that came and those that were expected") {
  ProbeSettings settings;
  ProbeVerdict out;
  judge_answer(settings, 204, true, out);
  CHECK(out.success);
  CHECK(std::string(out.error).empty());
  REQUIRE(parse_probe("status=200-299,404", settings) == nullptr);
  judge_answer(settings, 503, true, out);
  CHECK_FALSE(out.success);
  CHECK(out.status == 503);
  CHECK(std::string(out.error) == "status 503, expected 200-299,404");
  judge_answer(settings, 404, false, out);
  CHECK_FALSE(out.success);
  CHECK(std::string(out.error) == "the body's first 64 KB are not what body= asks for");
}

TEST_CASE("An error is cut to its field and kept printable") {
  ProbeVerdict out;
  set_error(out, std::string(500, 'x'));
  CHECK(std::string(out.error) == std::string(sizeof(out.error) - 1, 'x'));
  set_error(out, "a\nb\xff");
  CHECK(std::string(out.error) == "a?b?");
}

TEST_CASE("A prober that takes over goes on with what its predecessor has found") {
  const auto record = std::make_unique<HealthRecord>();
  const ProbeSettings settings;
  ProbeRecord first;
  CHECK_FALSE(resume_record(*record, 7, 100, first));
  CHECK(first.state.health == Health::kUnknown);
  CHECK_FALSE(note_probe(settings, verdict(true), 200, first));
  CHECK(note_probe(settings, verdict(true), 300, first));
  CHECK_FALSE(note_probe(settings, verdict(false), 400, first));
  REQUIRE(write_health(*record, 1, first.detail));
  CHECK(health_of(*record, 7) == Health::kHealthy);

  ProbeRecord second;
  CHECK(resume_record(*record, 7, 900, second));
  CHECK(second.state.health == Health::kHealthy);
  CHECK(second.state.failures_in_row == 1);
  CHECK(second.detail.since_unix_ns == 300);
  CHECK(second.detail.checked_unix_ns == 400);
  CHECK(second.detail.probes == 3);
  CHECK(second.detail.failures == 1);
  CHECK(text_of(second.detail.last_error) == "connection refused");
  REQUIRE(write_health(*record, 2, second.detail));
  CHECK_FALSE(write_health(*record, 1, first.detail));
  CHECK_FALSE(note_probe(settings, verdict(false), 1000, second));
  CHECK(note_probe(settings, verdict(false), 1100, second));
  CHECK(second.detail.since_unix_ns == 1100);
}

TEST_CASE("A successor at the same place starts unknown, and a torn detail keeps the health") {
  const auto record = std::make_unique<HealthRecord>();
  const ProbeSettings settings;
  ProbeRecord first;
  resume_record(*record, 7, 100, first);
  note_probe(settings, verdict(true), 200, first);
  note_probe(settings, verdict(true), 300, first);
  REQUIRE(write_health(*record, 1, first.detail));

  ProbeRecord other;
  CHECK_FALSE(resume_record(*record, 8, 900, other));
  CHECK(other.state.health == Health::kUnknown);
  CHECK(other.detail.tag == 8);
  CHECK(other.detail.probes == 0);

  record->details[1].probes = 99;
  ProbeRecord torn;
  CHECK_FALSE(resume_record(*record, 7, 900, torn));
  CHECK(torn.state.health == Health::kHealthy);
  CHECK(torn.detail.since_unix_ns == 900);
  CHECK(torn.detail.probes == 0);
}

TEST_CASE("A success slower than slow= degrades, and a success clears the last error") {
  ProbeSettings settings;
  settings.slow_ms = 100;
  ProbeRecord record;
  note_probe(settings, verdict(false), 1, record);
  CHECK(text_of(record.detail.last_error) == "connection refused");
  note_probe(settings, verdict(true, 100000), 2, record);
  CHECK(text_of(record.detail.last_error).empty());
  note_probe(settings, verdict(true, 100000), 3, record);
  CHECK(record.state.health == Health::kHealthy);
  note_probe(settings, verdict(true, 100001), 4, record);
  CHECK(record.state.health == Health::kDegraded);
  CHECK(record.detail.health == static_cast<std::uint8_t>(Health::kDegraded));
  note_probe(settings, verdict(true, UINT64_MAX), 5, record);
  CHECK(record.detail.latency_us == UINT32_MAX);
}

TEST_CASE("The patience with a silent prober is one and a half intervals, at least 500 ms") {
  CHECK(lease_patience_ms(1000) == 1500);
  CHECK(lease_patience_ms(100) == 500);
}
