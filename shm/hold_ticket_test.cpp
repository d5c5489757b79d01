// Tickets of a hold: when one counts, and how it reaches a reader.
#include "shm/hold_ticket.hpp"

#include <catch2/catch.hpp>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

namespace {

BootId boot_of(char letter) {
  BootId boot{};
  std::memset(boot.bytes, letter, sizeof(boot.bytes));
  return boot;
}

}  // namespace

TEST_CASE("A ticket counts until its deadline, in its own boot only") {
  const HoldTicket ticket = make_ticket(1000, boot_of('a'));
  CHECK(ticket_left_ns(ticket, boot_of('a'), 400) == 600);
  CHECK(ticket_left_ns(ticket, boot_of('a'), 999) == 1);
  CHECK(ticket_left_ns(ticket, boot_of('a'), 1000) == 0);
  CHECK(ticket_left_ns(ticket, boot_of('b'), 400) == 0);
}

TEST_CASE("A ticket that is damaged, empty or too far away does not count") {
  HoldTicket ticket = make_ticket(1000, boot_of('a'));
  ticket.deadline_boottime_ns = 2000;
  CHECK(ticket_left_ns(ticket, boot_of('a'), 400) == 0);
  CHECK(ticket_left_ns(HoldTicket{}, BootId{}, 0) == 0);
  CHECK(ticket_left_ns(make_ticket(kMaxHoldNs + 11, boot_of('a')), boot_of('a'), 10) == 0);
  CHECK(ticket_left_ns(make_ticket(kMaxHoldNs + 10, boot_of('a')), boot_of('a'), 10) == kMaxHoldNs);
}

TEST_CASE("A boot id is read as the kernel writes it, and nothing else is taken for one") {
  BootId boot{};
  const std::string_view text = "00112233-4455-6677-8899-aabbccddeeff\n";
  REQUIRE(parse_boot_id(text.data(), text.size(), boot));
  for (unsigned i = 0; i < 16; ++i) {
    CHECK(boot.bytes[i] == i * 0x11);
  }
  CHECK_FALSE(parse_boot_id("0011", 4, boot));
  CHECK_FALSE(parse_boot_id("0011223344556677889-aabbccddeeffzz", 34, boot));
  CHECK_FALSE(parse_boot_id("00112233445566778899aabbccddeeff0", 33, boot));
  REQUIRE(boot_id(boot));
  CHECK(boottime_ns() > 0);
}

TEST_CASE("A word with the hold flag brings the ticket of its generation, another word none") {
  const auto region = sample::make_zeroed<ControlRegion>();
  region->header = make_header(kControlKind, sample::kControlId, 1);
  REQUIRE(add_app(*region, "app") == 0);
  AppRecord& app = region->apps[0];
  store_ticket(make_ticket(20, boot_of('e')), app.holds[0]);
  store_ticket(make_ticket(30, boot_of('o')), app.holds[1]);
  AppSnapshot snapshot;
  REQUIRE(read_app(*region, 0, snapshot) == ReadResult::kOk);
  CHECK(snapshot.hold.crc == 0);
  Route route = snapshot.route;
  route.flags = kHold;
  REQUIRE(store_route(app, route, sample::kControlId, 0, 2));
  REQUIRE(read_app(*region, 0, snapshot) == ReadResult::kOk);
  CHECK(ticket_left_ns(snapshot.hold, boot_of('e'), 5) == 15);
  REQUIRE(store_route(app, route, sample::kControlId, 0, 3));
  REQUIRE(read_app(*region, 0, snapshot) == ReadResult::kOk);
  CHECK(ticket_left_ns(snapshot.hold, boot_of('o'), 5) == 25);
}
