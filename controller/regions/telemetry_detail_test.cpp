// Tests of the second part as telemetry_file.hpp shows it: a real file, written by shm's functions
// as NGINX's workers write it.
#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <vector>

#include "controller/regions/telemetry_file.hpp"
#include "controller/regions/test_folder.hpp"
#include "shm/clock.hpp"
#include "shm/mapping.hpp"
#include "shm/telemetry_detail.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen {
namespace {

constexpr std::uint64_t kRegion = 5;
constexpr std::uint32_t kApps = 2;
constexpr std::uint32_t kEpoch = 3;

struct DetailFixture {
  TestFolder folder;
  std::string path = folder.path + "/telemetry";
  TelemetryFile file{path};
  shm::UniqueFd fd;
  shm::Mapping mapping;
  shm::EndpointTable table{};

  DetailFixture() {
    std::vector<std::uint64_t> image(sizeof(shm::TelemetryRegion) / 8 + 1);
    auto& first = *reinterpret_cast<shm::TelemetryRegion*>(image.data());
    first.header = shm::make_header(shm::kTelemetryKind, kRegion, 6);
    shm::add_name(first.names, "other");
    shm::add_name(first.names, "app");
    REQUIRE(shm::create_region_file(path.c_str(), image.data(), sizeof(shm::TelemetryRegion),
                                    shm::RegionOwner{}) == 0);
    table.generation = 9;
    for (const char* text : {"127.0.0.1:8101", "127.0.0.1:8102"}) {
      REQUIRE(shm::parse_endpoint(text, table.endpoints[table.count]));
      table.endpoints[table.count].identity = table.count + 1;
      ++table.count;
    }
  }

  void add_second_part() {
    std::filesystem::resize_file(path, shm::detail_file_size(kApps));
    REQUIRE(shm::open_region(path.c_str(), O_RDWR, shm::kTelemetryKind, fd).result ==
            shm::OpenResult::kOk);
    REQUIRE(mapping.map(fd.get(), shm::detail_file_size(kApps), PROT_READ | PROT_WRITE));
    shm::make_detail_header(detail().header, kRegion);
  }
  shm::TelemetryRegion& region() { return *static_cast<shm::TelemetryRegion*>(mapping.data()); }
  shm::TelemetryDetail& detail() {
    return *reinterpret_cast<shm::TelemetryDetail*>(static_cast<char*>(mapping.data()) +
                                                    shm::kDetailOffset);
  }
  shm::AppDetail& app() { return detail().apps[1]; }
  void write(std::uint32_t place, shm::Health health, const char* error,
             std::uint32_t epoch = kEpoch) {
    shm::HealthDetail found{};
    found.tag = shm::tag_of(table.endpoints[place], table.generation);
    found.health = static_cast<std::uint8_t>(health);
    found.since_unix_ns = 1000 + place;
    found.status = 503;
    shm::set_text(found.last_error, error);
    REQUIRE(shm::write_health(app().health[1][place], epoch, found));
  }
  ProbeView look() { return file.probes("app", Color::kGreen, table); }
};

}  // namespace

TEST_CASE_METHOD(DetailFixture, "TelemetryFile: health is unknown without a second part") {
  CHECK_FALSE(look().readable);
  CHECK(look().reason == path + ": this NGINX keeps no health");
  REQUIRE(look().endpoints.size() == 2);
  CHECK(look().endpoints[0].health == shm::Health::kUnknown);
  CHECK_FALSE(file.detail_figures("app", Color::kGreen));
  CHECK(file.events(5).empty());
  CHECK_FALSE(file.prober().has_lease);
  std::filesystem::remove(path);
  CHECK(look().reason == "telemetry cannot be read: " + path + ": no such file");
}

TEST_CASE_METHOD(DetailFixture, "TelemetryFile: health is the endpoint's of the table in force") {
  add_second_part();
  write(0, shm::Health::kHealthy, "");
  write(1, shm::Health::kUnhealthy, "connection refused");
  ProbeView view = look();
  CHECK(view.readable);
  CHECK(view.endpoints[0].known);
  CHECK(view.endpoints[0].health == shm::Health::kHealthy);
  CHECK(view.endpoints[1].health == shm::Health::kUnhealthy);
  CHECK(view.endpoints[1].last_error == "connection refused");
  CHECK(view.endpoints[1].since_unix_ns == 1001);
  CHECK(view.endpoints[1].status == 503);
  CHECK_FALSE(file.probes("app", Color::kBlue, table).endpoints[0].known);
  CHECK_FALSE(file.probes("other", Color::kGreen, table).endpoints[0].known);
  table.generation = 10;  // published anew, at the same addresses
  CHECK_FALSE(look().endpoints[0].known);
  CHECK(look().endpoints[1].health == shm::Health::kUnknown);
}

TEST_CASE_METHOD(DetailFixture, "TelemetryFile: a damaged detail leaves the word's health alone") {
  add_second_part();
  write(0, shm::Health::kUnhealthy, "connection refused");
  app().health[1][0].details[kEpoch & 1].last_error[0] = '!';
  CHECK(look().endpoints[0].health == shm::Health::kUnhealthy);
  CHECK(look().endpoints[0].last_error.empty());
}

TEST_CASE_METHOD(DetailFixture, "TelemetryFile: the prober is a lease of a slot that is alive") {
  add_second_part();
  CHECK_FALSE(look().prober.has_lease);
  shm::LeaseHolder own{0, shm::take_slot(fd.get(), region(), 4000, 1)};
  const std::uint64_t now = shm::clock_ns(CLOCK_BOOTTIME);
  const auto alive = [](std::uint32_t) { return true; };
  while (own.epoch < kEpoch) {
    REQUIRE(shm::try_take_lease(detail().header.lease, own, now - 5'000'000'000, 1, alive));
  }
  CHECK(look().prober.has_lease);
  CHECK(look().prober.pid == 4000);
  CHECK(look().prober.epoch == kEpoch);
  CHECK(look().prober.renewed_ago >= std::chrono::seconds(5));
  CHECK(look().prober.renewed_ago < std::chrono::minutes(1));
  CHECK_FALSE(look().probed);
  write(1, shm::Health::kUnknown, "", kEpoch - 1);
  CHECK_FALSE(look().probed);
  write(1, shm::Health::kUnknown, "");
  CHECK(look().probed);
  shm::unlock_byte(fd.get(), shm::slot_offset(own.slot));
  CHECK_FALSE(look().prober.has_lease);
  detail().header.lease.holder = ~std::uint64_t{0};
  CHECK_FALSE(look().prober.has_lease);
}

TEST_CASE_METHOD(DetailFixture, "TelemetryFile: second figures are summed over the used slots") {
  add_second_part();
  const std::uint32_t slot = shm::take_slot(fd.get(), region(), 4000, 1);
  region().slots[slot + 1].state = 1;  // a dead owner's
  for (const std::uint32_t i : {slot, slot + 1, slot + 2}) {
    shm::ColorDetail& color = app().slots[i].colors[1];
    color.connect_errors = 1;
    color.timeouts = 2;
    color.other_errors = 3;
    color.retries = 4;
    color.bytes_in = 5;
    color.bytes_out = 6;
    color.total.sum_us = 3000;
    color.total.buckets[shm::bucket_of(1000)] = 98;
    color.total.buckets[shm::bucket_of(900'000)] = 2;
  }
  const auto figures = file.detail_figures("app", Color::kGreen);
  REQUIRE(figures);
  CHECK(figures->connect_errors == 2);
  CHECK(figures->timeouts == 4);
  CHECK(figures->other_errors == 6);
  CHECK(figures->retries == 8);
  CHECK(figures->bytes_in == 10);
  CHECK(figures->bytes_out == 12);
  CHECK(figures->total.count == 200);
  CHECK(figures->total.sum_us == 6000);
  CHECK(figures->total.quantile_us(500) == Approx(1000).epsilon(0.05));
  CHECK(figures->total.quantile_us(990) == Approx(900'000).epsilon(0.05));
  CHECK(figures->connect.quantile_us(500) == 0);
  CHECK(file.detail_figures("app", Color::kBlue)->retries == 0);
}

TEST_CASE_METHOD(DetailFixture, "TelemetryFile: the last events come newest first, whole ones") {
  add_second_part();
  for (std::uint32_t i = 0; i < 300; ++i) {
    shm::Event event{};
    event.kind = static_cast<std::uint32_t>(shm::EventKind::kWeight);
    event.weight = i;
    event.app = 1;
    shm::add_event(detail().events, event);
  }
  detail().events.events[298 % 256].weight = 7;  // of number 299
  const auto events = file.events(3);
  REQUIRE(events.size() == 3);
  CHECK(events[0].number == 300);
  CHECK(events[1].number == 298);
  CHECK(events[2].weight == 296);
  CHECK(file.events(1000).size() == 255);
  CHECK(file.app_name(events[0].app) == "app");
  CHECK(file.app_name(shm::kNobody).empty());
  detail().events.count = ~std::uint64_t{0};
  CHECK(file.events(1000).empty());
}

TEST_CASE_METHOD(DetailFixture,
                 "TelemetryFile: a second part that is cut, old or another's is none") {
  add_second_part();
  write(0, shm::Health::kHealthy, "");
  std::filesystem::resize_file(path, shm::detail_file_size(1));
  CHECK_FALSE(look().readable);
  CHECK_FALSE(file.detail_figures("app", Color::kGreen));
  CHECK(file.probes("other", Color::kGreen, table).readable);
  std::filesystem::resize_file(path, shm::detail_file_size(0) - 1);
  CHECK_FALSE(file.probes("other", Color::kGreen, table).readable);
  CHECK(file.events(5).empty());
  std::filesystem::resize_file(path, shm::detail_file_size(kApps));
  CHECK(look().readable);
  shm::make_detail_header(detail().header, kRegion + 1);
  CHECK_FALSE(look().readable);
  shm::make_detail_header(detail().header, kRegion);
  detail().header.version = 2;
  CHECK_FALSE(look().readable);
}

}  // namespace bluegreen
