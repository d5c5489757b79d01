// The record of a program: what is written is read back, what is damaged is refused.
#include "controller/process/process_record.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

ProcessRecord sample() {
  return {4711, 123456, "0a1b-boot", 1700000000000, "v2", {"/srv/v2/serve", "--port", "8102"}};
}

TEST_CASE("Process record survives being written and read") {
  const auto read = parse_record(to_text(sample()));
  REQUIRE(read);
  CHECK(read->pid == 4711);
  CHECK(read->start_ticks == 123456);
  CHECK(read->boot_id == "0a1b-boot");
  CHECK(read->image == "v2");
  CHECK(read->argv == sample().argv);
}

TEST_CASE("Process record with bytes that are no UTF-8 is written all the same") {
  ProcessRecord record = sample();
  record.argv.emplace_back("\xFF");
  CHECK(parse_record(to_text(record)));
}

TEST_CASE("Damaged process record is refused") {
  CHECK_FALSE(parse_record(""));
  CHECK_FALSE(parse_record("{\"schema\": 1}"));
  ProcessRecord init = sample();
  init.pid = 1;  // a stop would go to everything
  CHECK_FALSE(parse_record(to_text(init)));
  std::string other = to_text(sample());
  other.replace(other.find("\"schema\": 1"), 11, "\"schema\": 2");
  CHECK_FALSE(parse_record(other));
}

TEST_CASE("Identity differs between starts, boots and processes") {
  ProcessRecord later = sample();
  later.start_ticks += 1;
  ProcessRecord neighbour = sample();
  neighbour.pid += 1;
  ProcessRecord rebooted = sample();
  rebooted.boot_id = "other";
  CHECK(identity_of(sample()) == identity_of(sample()));
  CHECK(identity_of(sample()) != identity_of(later));
  CHECK(identity_of(sample()) != identity_of(neighbour));
  CHECK(identity_of(sample()) != identity_of(rebooted));
}

}  // namespace
}  // namespace bluegreen
