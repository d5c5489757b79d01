// The second part's header: what a reader believes of it.
#include "shm/telemetry_detail.hpp"

#include <catch2/catch.hpp>
#include <memory>

using namespace bluegreen::shm;

namespace {

constexpr std::uint64_t kFileId = 42;

}  // namespace

TEST_CASE("Detail header tells how many applications a file of its size holds") {
  DetailHeader header{};
  make_detail_header(header, kFileId);
  CHECK(apps_with_detail(header, kFileId, detail_file_size(0)) == 0);
  CHECK(apps_with_detail(header, kFileId, detail_file_size(3)) == 3);
  CHECK(apps_with_detail(header, kFileId, detail_file_size(3) - 1) == 2);
  CHECK(apps_with_detail(header, kFileId, detail_file_size(kMaxApps) + sizeof(AppDetail)) ==
        kMaxApps);
  CHECK(apps_with_detail(header, kFileId, sizeof(TelemetryRegion)) == 0);
}

TEST_CASE("Detail header is not believed when a field of it is another one") {
  const auto believed = [](void (*change)(DetailHeader&), bool sign) {
    DetailHeader header{};
    make_detail_header(header, kFileId);
    change(header);
    if (sign) {
      header.crc = detail_header_crc(header);
    }
    return apps_with_detail(header, kFileId, detail_file_size(1)) != 0;
  };
  CHECK(believed([](DetailHeader&) {}, true));
  CHECK_FALSE(believed([](DetailHeader& h) { h.magic[0] = 'X'; }, true));
  CHECK_FALSE(believed([](DetailHeader& h) { h.version = 2; }, true));
  CHECK_FALSE(believed([](DetailHeader& h) { ++h.app_size; }, true));
  CHECK_FALSE(believed([](DetailHeader& h) { ++h.slot_size; }, true));
  CHECK_FALSE(believed([](DetailHeader& h) { ++h.buckets; }, true));
  CHECK_FALSE(believed([](DetailHeader& h) { ++h.region_id; }, true));
  CHECK_FALSE(believed([](DetailHeader& h) { h.zero1[0] = 1; }, false));
}
