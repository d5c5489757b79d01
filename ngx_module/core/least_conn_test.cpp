// Least connections: see least_conn.hpp.
#include "ngx_module/core/least_conn.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen;

namespace {

const core::HealthRules kRules;

std::uint32_t pick(core::Candidate* list, std::uint32_t count, core::Tried tried = 0) {
  return core::pick_least_conn({list, count, kRules, 1000}, tried);
}

}  // namespace

TEST_CASE("Least connections takes the endpoint with the fewest for its weight") {
  core::Candidate list[3];
  list[0].busy = 2;
  list[1].busy = 1;
  list[2].busy = 3;
  CHECK(pick(list, 3) == 1);
  core::set_weight(list[2], 4);
  CHECK(pick(list, 3) == 2);
}

TEST_CASE("Least connections breaks ties by round robin, among those that are equal only") {
  core::Candidate list[4];
  list[1].busy = 5;
  std::string order;
  for (int i = 0; i < 6; ++i) {
    order += static_cast<char>('a' + pick(list, 4));
  }
  CHECK(order == "acdacd");
}

TEST_CASE("Least connections fills endpoints in proportion to their weights") {
  core::Candidate list[2];
  core::set_weight(list[0], 3);
  for (int i = 0; i < 400; ++i) {
    ++list[pick(list, 2)].busy;
  }
  CHECK(list[0].busy == 300);
  CHECK(list[1].busy == 100);
}

TEST_CASE("Least connections skips what was tried or failed lately, and says nobody") {
  core::Candidate list[3];
  list[0].busy = 9;
  core::fail(list[1], kRules, 900);
  CHECK(pick(list, 3, 0b100) == 0);
  CHECK(pick(list, 3, 0b101) == core::kNoEndpoint);
  CHECK(pick(list, 0) == core::kNoEndpoint);
}

TEST_CASE("Least connections prefers whom it prefers wherever that one stands") {
  core::Candidate list[shm::kMaxEndpoints];
  const auto best = GENERATE(0U, 1U, 30U, 31U);
  for (core::Candidate& candidate : list) {
    candidate.busy = 4;
  }
  list[best].busy = 3;
  CHECK(pick(list, shm::kMaxEndpoints) == best);
}
