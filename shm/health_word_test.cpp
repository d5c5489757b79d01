// Health records: what is read is what the newest holder of the lease wrote, or nothing.
#include "shm/health_word.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen::shm;

namespace {

HealthDetail about(std::uint64_t tag, Health health, const char* error = "") {
  HealthDetail detail{};
  detail.tag = tag;
  detail.health = static_cast<std::uint8_t>(health);
  detail.probes = 3;
  set_text(detail.last_error, error);
  return detail;
}

}  // namespace

TEST_CASE("Health is read back with its detail, by the endpoint's own tag alone") {
  HealthRecord record{};
  REQUIRE(write_health(record, 1, about(77, Health::kUnhealthy, "refused")));
  CHECK(health_of(record, 77) == Health::kUnhealthy);
  CHECK(health_of(record, 78) == Health::kUnknown);
  HealthDetail out{};
  REQUIRE(read_detail(record, 77, out));
  CHECK(out.probes == 3);
  CHECK(std::string(out.last_error) == "refused");
  CHECK_FALSE(read_detail(record, 78, out));
}

TEST_CASE("Health that a late holder writes is refused, and what counts stays whole") {
  HealthRecord record{};
  REQUIRE(write_health(record, 4, about(77, Health::kHealthy)));
  REQUIRE(write_health(record, 5, about(77, Health::kHealthy, "new")));
  CHECK_FALSE(write_health(record, 4, about(77, Health::kUnhealthy, "late")));
  CHECK(health_of(record, 77) == Health::kHealthy);
  HealthDetail out{};
  REQUIRE(read_detail(record, 77, out));
  CHECK(std::string(out.last_error) == "new");
}

TEST_CASE("Health that a holder from two takeovers ago writes is not shown as whole") {
  HealthRecord record{};
  REQUIRE(write_health(record, 6, about(77, Health::kHealthy, "new")));
  CHECK_FALSE(write_health(record, 4, about(77, Health::kUnhealthy, "late")));
  CHECK(health_of(record, 77) == Health::kHealthy);
  HealthDetail out{};
  CHECK_FALSE(read_detail(record, 77, out));
}

TEST_CASE("Health of a torn detail is known, its detail is not") {
  HealthRecord record{};
  REQUIRE(write_health(record, 1, about(77, Health::kHealthy)));
  record.details[1].probes = 9;
  HealthDetail out{};
  CHECK_FALSE(read_detail(record, 77, out));
  CHECK(health_of(record, 77) == Health::kHealthy);
}

TEST_CASE("Health epochs go round") {
  CHECK(epoch_is_newer(1, 0));
  CHECK_FALSE(epoch_is_newer(1, 1));
  CHECK_FALSE(epoch_is_newer(0, 1));
  CHECK(epoch_is_newer(0, kEpochMask));
  CHECK_FALSE(epoch_is_newer(kEpochMask, 0));
}

TEST_CASE("Health tag differs by address, port, identity and generation") {
  Endpoint one{};
  REQUIRE(parse_endpoint("127.0.0.1:80", one));
  Endpoint port = one;
  REQUIRE(parse_endpoint("127.0.0.1:81", port));
  Endpoint heir = one;
  heir.identity = one.identity + 1;
  CHECK(tag_of(one, 1) != tag_of(port, 1));
  CHECK(tag_of(one, 1) != tag_of(heir, 1));
  CHECK(tag_of(one, 1) != tag_of(one, 2));
  CHECK(unpack_health(pack_health({Health::kDegraded, 9, tag_of(one, 1)})).tag == tag_of(one, 1));
}
