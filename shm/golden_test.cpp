// The layout of both regions, byte by byte, against golden/*.hex; telemetry in its two parts.
//
// A golden file holds each 16-byte line of a sample region (sample_regions.hpp) that is not all
// zero, as "offset: bytes". A difference is a change of the ABI: the version must be raised. Only
// then write them anew: BLUEGREEN_WRITE_GOLDEN=1 shm_test "Golden*".
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

namespace {

constexpr std::size_t kLine = 16;

std::string sparse_hex(const void* data, std::size_t size) {
  std::string out;
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t at = 0; at < size; at += kLine) {
    bool empty = true;
    char line[100];
    int length = std::snprintf(line, sizeof(line), "%08zx:", at);
    for (std::size_t i = 0; i < kLine; ++i) {
      empty = empty && bytes[at + i] == 0;
      length += std::snprintf(line + length, sizeof(line) - static_cast<std::size_t>(length),
                              " %02x", bytes[at + i]);
    }
    if (!empty) {
      out += std::string(line) + "\n";
    }
  }
  return out;
}

bool parse_hex(const std::string& text, void* data, std::size_t size) {
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    fields >> std::hex;
    std::size_t at = 0;
    char colon = 0;
    fields >> at >> colon;
    for (std::size_t i = 0; i < kLine; ++i) {
      unsigned value = 0;
      if (!(fields >> value) || at + i >= size) {
        return false;
      }
      static_cast<unsigned char*>(data)[at + i] = static_cast<unsigned char>(value);
    }
  }
  return true;
}

std::string golden(const char* name, const std::string& now) {
  const std::string path = std::string(BLUEGREEN_GOLDEN_DIR) + "/" + name;
  if (::getenv("BLUEGREEN_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << now;
  }
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("Golden control region is written as it was and read as it was") {
  const auto region = sample::make_control();
  const std::string file = golden("control.hex", sparse_hex(region.get(), sizeof(*region)));
  CHECK(sparse_hex(region.get(), sizeof(*region)) == file);

  auto read = sample::make_zeroed<ControlRegion>();
  REQUIRE(parse_hex(file, read.get(), sizeof(*read)));
  CHECK(validate_header(read->header, sizeof(*read), kControlKind).result == OpenResult::kOk);
  REQUIRE(find_app(*read, "app") == 0);
  AppSnapshot app;
  REQUIRE(read_app(*read, 0, app) == ReadResult::kOk);
  CHECK(app.route.active == Color::kGreen);
  CHECK(app.route.weight == 2500);
  CHECK(app.route.flags == (kFallback | kClosedBlue));
  CHECK(app.generation == 7340035);
  CHECK(app.flipped_unix_ns == 1767225600000000005);
  CHECK(text_of(app.tables[1].image) == "registry.example/app:v2");
  char text[kEndpointTextSize];
  format_endpoint(app.tables[1].endpoints[1], text);
  CHECK(std::string(text) == "[2001:db8::1]:443");
  CHECK(app.tables[1].endpoints[2].identity == 0x303);
  REQUIRE(find_app(*read, "tool") == 1);
  AppSnapshot tool;
  CHECK(read_app(*read, 1, tool) == ReadResult::kOk);
}

TEST_CASE("Golden telemetry region is written as it was and read as it was") {
  const auto control = sample::make_control();
  const auto region = sample::make_telemetry(*control);
  const std::string file = golden("telemetry.hex", sparse_hex(region.get(), sizeof(*region)));
  CHECK(sparse_hex(region.get(), sizeof(*region)) == file);

  auto read = sample::make_zeroed<TelemetryRegion>();
  REQUIRE(parse_hex(file, read.get(), sizeof(*read)));
  CHECK(validate_header(read->header, sizeof(*read), kTelemetryKind).result == OpenResult::kOk);
  REQUIRE(find_name(read->names, "app") == 1);
  CHECK(table_is_valid(read->mirrors[1].copies[0].tables[1]));
  CHECK(read->slotless == 2);
  const Slot& slot = read->slots[0];
  CHECK(slot.pid == 1000);
  CHECK(slot.attached_control == sample::kControlId);
  const Counters& counters = slot.counters[1][1];
  CHECK(counters.in_flight == 11);
  CHECK(counters.requests == 12);
  CHECK(counters.responses[1] == 22);
  CHECK(counters.no_response == 31);
  CHECK(counters.withdrawn == 34);
}

TEST_CASE("Golden second part of telemetry is written as it was and read as it was") {
  const auto control = sample::make_control();
  const auto detail = sample::make_detail(*control);
  const std::string file =
      golden("telemetry_detail.hex", sparse_hex(detail.get(), sizeof(*detail)));
  CHECK(sparse_hex(detail.get(), sizeof(*detail)) == file);

  auto read = sample::make_zeroed<sample::DetailOfOne>();
  REQUIRE(parse_hex(file, read.get(), sizeof(*read)));
  CHECK(apps_with_detail(read->header, sample::kTelemetryId, detail_file_size(1)) == 1);
  const LeaseHolder prober = lease_holder(read->header.lease.holder);
  CHECK(prober.epoch == 1);
  CHECK(prober.slot == 1);
  Event event{};
  REQUIRE(read_event(read->events, 1, event));
  CHECK(event.after == static_cast<std::uint8_t>(Health::kUnhealthy));
  CHECK(text_of(event.text) == "connect: Connection refused");
  const EndpointTable& table = control->apps[0].tables[1][1];
  HealthDetail health{};
  REQUIRE(
      read_detail(read->app.health[1][0], tag_of(table.endpoints[0], table.generation), health));
  CHECK(health.status == 503);
  CHECK(text_of(health.last_error) == "status 503, expected 200-399");
  CHECK(read->app.slots[1].colors[1].total.buckets[kBuckets - 1] == 80);
}
