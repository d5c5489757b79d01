// The prober's lease: taken when free, kept while renewed, taken over from the dead and the hung.
#include "shm/prober_lease.hpp"

#include <catch2/catch.hpp>
#include <cstring>

using namespace bluegreen::shm;

namespace {

constexpr std::uint64_t kPatience = 1500;

struct Workers {
  ProberLease lease{};
  bool live[kMaxSlots] = {true, true, true};

  bool take(LeaseHolder& own, std::uint64_t now) {
    return try_take_lease(lease, own, now, kPatience, [this](std::uint32_t s) { return live[s]; });
  }
};

}  // namespace

TEST_CASE("Lease is taken by the first who asks, in epoch 1") {
  Workers workers;
  LeaseHolder a{0, 0};
  LeaseHolder b{0, 1};
  REQUIRE(workers.take(a, 1000));
  CHECK(a.epoch == 1);
  CHECK_FALSE(workers.take(b, 1001));
  CHECK(renew_lease(workers.lease, a, 2000));
  CHECK_FALSE(workers.take(b, 2000 + kPatience - 1));
}

TEST_CASE("Lease of a dead holder is taken at once") {
  Workers workers;
  LeaseHolder a{0, 0};
  LeaseHolder b{0, 1};
  REQUIRE(workers.take(a, 1000));
  workers.live[0] = false;
  REQUIRE(workers.take(b, 1001));
  CHECK(b.epoch == 2);
  CHECK_FALSE(renew_lease(workers.lease, a, 1002));
}

TEST_CASE("Lease of a stopped holder is taken when its patience is over, and stays taken") {
  Workers workers;
  LeaseHolder a{0, 0};
  LeaseHolder b{0, 1};
  REQUIRE(workers.take(a, 1000));
  REQUIRE(workers.take(b, 1000 + kPatience));
  CHECK_FALSE(renew_lease(workers.lease, a, 9000));
  LeaseHolder c{0, 2};
  // The late holder's `renewed` is that of another epoch: it does not prolong its successor's.
  CHECK(workers.take(c, 1000 + 2 * kPatience));
  CHECK(c.epoch == 3);
}

TEST_CASE("Lease that was given back is free, and giving back another's does nothing") {
  Workers workers;
  LeaseHolder a{0, 0};
  LeaseHolder b{0, 1};
  REQUIRE(workers.take(a, 1000));
  give_back_lease(workers.lease, LeaseHolder{1, 2});
  CHECK_FALSE(workers.take(b, 1001));
  give_back_lease(workers.lease, a);
  CHECK(lease_holder(workers.lease.holder).slot == kMaxSlots);
  CHECK(workers.take(b, 1002));
}

TEST_CASE("Lease word with a slot that does not exist means nobody") {
  CHECK(lease_holder(std::uint64_t{5} << 32 | 4000).slot == kMaxSlots);
  CHECK(lease_holder(pack_holder({7, kMaxSlots - 1})).slot == kMaxSlots - 1);
}
