// Smooth weighted round robin: see round_robin.hpp.
#include "ngx_module/core/round_robin.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen;

namespace {

std::string order(core::Share* shares, std::uint32_t count, int picks, core::Tried tried = 0) {
  std::string out;
  for (int i = 0; i < picks; ++i) {
    const std::uint32_t index = core::pick(shares, count, tried);
    out += index == core::kNoEndpoint ? '-' : static_cast<char>('a' + index);
  }
  return out;
}

}  // namespace

TEST_CASE("Round robin spreads a heavy endpoint's turns smoothly") {
  core::Share shares[3] = {{0, 5}, {0, 1}, {0, 1}};
  CHECK(order(shares, 3, 14) == "aabacaaaabacaa");
}

TEST_CASE("Round robin takes equal endpoints in turn") {
  core::Share shares[3];
  CHECK(order(shares, 3, 6) == "abcabc");
}

TEST_CASE("Round robin skips what a request has tried, and says nobody when that is all") {
  core::Share shares[3];
  CHECK(order(shares, 3, 4, 0b001) == "bcbc");
  CHECK(order(shares, 3, 1, 0b111) == "-");
  CHECK(order(shares, 0, 1) == "-");
}

TEST_CASE("Round robin with one endpoint takes it until it was tried") {
  core::Share share;
  CHECK(order(&share, 1, 3) == "aaa");
  CHECK(order(&share, 1, 1, 1) == "-");
}

TEST_CASE("Round robin never reads beyond the limit of endpoints") {
  core::Share shares[shm::kMaxEndpoints];
  CHECK(core::pick(shares, 4000000000U, 0xFFFFFFFFU) == core::kNoEndpoint);
  CHECK(core::pick(shares, 4000000000U, 0x7FFFFFFFU) == 31);
}
