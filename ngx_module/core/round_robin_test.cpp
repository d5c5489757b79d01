// Smooth weighted round robin: see round_robin.hpp.
#include "ngx_module/core/round_robin.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen;

namespace {

const core::HealthRules kRules;

std::string order(core::Candidate* list, std::uint32_t count, int picks, core::Tried tried = 0,
                  std::uint64_t now = 1000) {
  std::string out;
  for (int i = 0; i < picks; ++i) {
    const std::uint32_t index = core::pick_round_robin({list, count, kRules, now}, tried);
    out += index == core::kNoEndpoint ? '-' : static_cast<char>('a' + index);
  }
  return out;
}

}  // namespace

TEST_CASE("Round robin spreads a heavy endpoint's turns smoothly") {
  core::Candidate list[3];
  core::set_weight(list[0], 5);
  CHECK(order(list, 3, 14) == "aabacaaaabacaa");
}

TEST_CASE("Round robin takes equal endpoints in turn") {
  core::Candidate list[3];
  CHECK(order(list, 3, 6) == "abcabc");
}

TEST_CASE("Round robin skips what a request has tried, and says nobody when that is all") {
  core::Candidate list[3];
  CHECK(order(list, 3, 4, 0b001) == "bcbc");
  CHECK(order(list, 3, 1, 0b111) == "-");
  CHECK(order(list, 0, 1) == "-");
}

TEST_CASE("Round robin never reads beyond the limit of endpoints") {
  core::Candidate list[shm::kMaxEndpoints];
  CHECK(order(list, 4000000000U, 1, 0xFFFFFFFFU) == "-");
  CHECK(core::pick_round_robin({list, 4000000000U, kRules, 0}, 0x7FFFFFFFU) == 31);
}

TEST_CASE("Round robin leaves out what failed lately, and gives its turns back bit by bit") {
  core::Candidate list[2];
  core::set_weight(list[0], 4);
  core::fail(list[0], kRules, 1000);
  CHECK(list[0].in_force == 0);
  CHECK(order(list, 2, 4, 0, 1000 + kRules.fail_timeout_ms) == "bbbb");
  list[0].health.fails = 0;
  const std::string after = order(list, 2, 40, 0, 20000);
  CHECK(after.substr(0, 4) != "aaaa");
  CHECK(list[0].in_force == list[0].weight);
}

TEST_CASE("Round robin gives an endpoint in slow start a growing share") {
  const core::HealthRules slow{1, 10000, 10000};
  core::Candidate list[2];
  list[1].health.rises_from = 50000;
  const auto share = [&](std::uint64_t now) {
    int second = 0;
    for (int i = 0; i < 1000; ++i) {
      second += core::pick_round_robin({list, 2, slow, now}, 0) == 1 ? 1 : 0;
    }
    return second;
  };
  CHECK(share(50000) <= 5);
  CHECK(share(51000) == Approx(91).margin(3));   // 1/10 against 1
  CHECK(share(55000) == Approx(333).margin(3));  // 1/2 against 1
  CHECK(share(60000) == Approx(500).margin(3));
  CHECK(list[1].health.rises_from == 0);
}
