// Passive health of an endpoint, and the candidate around it: see endpoint_health.hpp,
// candidate.hpp.
#include "ngx_module/core/endpoint_health.hpp"

#include <catch2/catch.hpp>

#include "ngx_module/core/candidate.hpp"

using namespace bluegreen::core;

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
