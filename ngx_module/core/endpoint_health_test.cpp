// Passive health of an endpoint, and the candidate around it: see endpoint_health.hpp,
// candidate.hpp.
#include "ngx_module/core/endpoint_health.hpp"

#include <catch2/catch.hpp>

#include "ngx_module/core/candidate.hpp"

using namespace bluegreen::core;
using bluegreen::shm::Health;

TEST_CASE("Endpoint is out after max_fails failures, for fail_timeout") {
  const HealthRules rules{2, 1000, 0};
  EndpointHealth health;
  note_failure(health, 100);
  CHECK(usable(health, rules, 101));
  note_failure(health, 200);
  CHECK_FALSE(usable(health, rules, 201));
  CHECK_FALSE(usable(health, rules, 1200));
  CHECK(usable(health, rules, 1201));
}

TEST_CASE("Endpoint is never out with max_fails=0") {
  const HealthRules rules{0, 1000, 0};
  EndpointHealth health;
  note_failure(health, 100);
  note_failure(health, 100);
  CHECK(usable(health, rules, 101));
}

TEST_CASE("Endpoint that is out gets one try for each fail_timeout") {
  const HealthRules rules{1, 1000, 0};
  EndpointHealth health;
  note_failure(health, 100);
  REQUIRE(usable(health, rules, 1200));
  note_try(health, rules, 1200);
  CHECK_FALSE(usable(health, rules, 1201));
  CHECK_FALSE(usable(health, rules, 2200));
  CHECK(usable(health, rules, 2201));
}

TEST_CASE("Endpoint comes back by a success of a try that began after the failure") {
  const HealthRules rules{1, 1000, 0};
  EndpointHealth health;
  note_failure(health, 100);
  note_success(health, rules, 150);  // had begun before
  CHECK_FALSE(usable(health, rules, 160));
  note_try(health, rules, 1200);
  note_success(health, rules, 1210);
  CHECK(health.fails == 0);
  CHECK(health.rises_from == 0);
  CHECK(usable(health, rules, 1211));
}

TEST_CASE("Endpoint that comes back rises over slow_start; one that was never out does not") {
  const HealthRules rules{2, 1000, 5000};
  EndpointHealth health;
  note_failure(health, 100);
  note_try(health, rules, 1200);
  note_success(health, rules, 1210);
  CHECK(health.rises_from == 0);
  note_failure(health, 2000);
  note_failure(health, 2000);
  note_try(health, rules, 3100);
  note_success(health, rules, 3200);
  CHECK(risen(health, rules, 100, 3200) == 1);
  CHECK(risen(health, rules, 100, 5700) == 50);
  CHECK(risen(health, rules, 100, 8200) == 100);
  CHECK(health.rises_from == 0);
}

TEST_CASE("Failures forgiven all at once make every endpoint stand again") {
  const HealthRules rules;
  Candidate list[3];
  const Field field{list, 3, rules, 500};
  for (Candidate& candidate : list) {
    fail(candidate, rules, 400);
  }
  CHECK(count_standing(field, 0) == 0);
  forgive_all(field);
  CHECK(count_standing(field, 0) == 3);
  CHECK(count_standing(field, 0b101) == 1);
}

TEST_CASE("Endpoint that probes found down is out whatever its tries say; other words are not") {
  const HealthRules rules{1, 1000, 0};
  EndpointHealth health;
  CHECK_FALSE(note_probed(health, Health::kUnhealthy, rules, 100));
  CHECK_FALSE(usable(health, rules, 5000));
  CHECK(usable(health, rules, 5000, Probes::kIgnored));
  note_success(health, rules, 5000);
  CHECK_FALSE(usable(health, rules, 5001));
  for (const Health said : {Health::kUnknown, Health::kHealthy, Health::kDegraded}) {
    note_probed(health, Health::kUnhealthy, rules, 6000);
    CHECK(note_probed(health, said, rules, 6001) == (said != Health::kUnknown));
    CHECK(usable(health, rules, 6001));
  }
}

TEST_CASE("Endpoint that probes found up again begins anew; later failures count") {
  const HealthRules rules{1, 1000, 5000};
  Candidate candidate;
  set_weight(candidate, 2);
  fail(candidate, rules, 100);
  hear_probes(candidate, Health::kHealthy, rules, 110);  // it never was down by probes
  CHECK_FALSE(usable(candidate.health, rules, 110));
  hear_probes(candidate, Health::kUnhealthy, rules, 120);
  CHECK_FALSE(usable(candidate.health, rules, 120, Probes::kIgnored));
  hear_probes(candidate, Health::kDegraded, rules, 200);
  CHECK(usable(candidate.health, rules, 200));
  CHECK(candidate.in_force == 2 * kUnit);
  CHECK(risen(candidate.health, rules, 100, 2700) == 50);
  hear_probes(candidate, Health::kHealthy, rules, 2700);  // which is no news
  CHECK(risen(candidate.health, rules, 100, 5200) == 100);
  fail(candidate, rules, 5300);
  CHECK_FALSE(usable(candidate.health, rules, 5301));
}

TEST_CASE("Slow start by probes is for those that are proved up, and only where it is wanted") {
  const HealthRules slow{1, 1000, 5000};
  EndpointHealth health;
  note_probed(health, Health::kUnhealthy, slow, 100);
  note_probed(health, Health::kUnknown, slow, 200);
  CHECK(health.rises_from == 0);
  const HealthRules quick{1, 1000, 0};
  note_probed(health, Health::kUnhealthy, quick, 300);
  note_probed(health, Health::kHealthy, quick, 400);
  CHECK(health.rises_from == 0);
}

TEST_CASE(
    "Field that ignores probes counts those that have not failed; forgiving keeps the probes") {
  const HealthRules rules;
  Candidate list[3];
  for (Candidate& candidate : list) {
    hear_probes(candidate, Health::kUnhealthy, rules, 100);
  }
  fail(list[0], rules, 400);
  const Field field{list, 3, rules, 500};
  const Field anyway{list, 3, rules, 500, Probes::kIgnored};
  CHECK(count_standing(field, 0) == 0);
  CHECK(count_standing(anyway, 0) == 2);
  forgive_all(anyway);
  CHECK(count_standing(anyway, 0) == 3);
  CHECK(count_standing(field, 0) == 0);
}
