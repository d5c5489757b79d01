// Two regions with something in every part, the same bytes on every run: what the golden files pin
// and what the tests of readers (shm_dump too) read. Tests only; not part of the ABI.
//
// Single-threaded; on the heap, because a telemetry region is over three megabytes.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "shm/control_region.hpp"
#include "shm/telemetry_detail.hpp"
#include "shm/telemetry_region.hpp"

namespace bluegreen::shm::sample {

inline constexpr std::uint64_t kControlId = 0x1122334455667788;
inline constexpr std::uint64_t kTelemetryId = 0x99AABBCCDDEEFF01;
inline constexpr std::uint64_t kTime = 1767225600'000000000;  // 2026-01-01T00:00:00Z

// Zeroed memory in the region's shape, as a new mapping would be.
template <class Region>
struct ZeroedDelete {
  void operator()(Region* region) const { ::free(region); }
};
template <class Region>
using Zeroed = std::unique_ptr<Region, ZeroedDelete<Region>>;

template <class Region>
Zeroed<Region> make_zeroed() {
  void* memory = ::aligned_alloc(4096, (sizeof(Region) + 4095) / 4096 * 4096);
  std::memset(memory, 0, sizeof(Region));
  return Zeroed<Region>(static_cast<Region*>(memory));
}

inline EndpointTable make_table(std::uint64_t generation, const char* release,
                                std::initializer_list<const char*> endpoints) {
  EndpointTable table{};
  table.generation = generation;
  table.published_unix_ns = kTime + generation;
  set_text(table.release, release);
  set_text(table.deploy_id, "deploy-1");
  set_text(table.image, std::string("registry.example/app:") + release);
  for (const char* text : endpoints) {
    Endpoint& endpoint = table.endpoints[table.count];
    parse_endpoint(text, endpoint);
    endpoint.identity = generation << 8 | ++table.count;
  }
  table.crc = table_crc(table);
  return table;
}

// "app": green active with every field in use; "tool": as add_app leaves it.
inline Zeroed<ControlRegion> make_control() {
  auto region = make_zeroed<ControlRegion>();
  region->header = make_header(kControlKind, kControlId, kTime);
  add_app(*region, "app");
  add_app(*region, "tool");
  AppRecord& app = region->apps[0];
  store_table(make_table(2, "v1", {"127.0.0.1:8001"}), app.tables[0][1]);
  store_table(make_table(3, "v2", {"10.1.2.3:80", "[2001:db8::1]:443", "unix:/run/app.sock"}),
              app.tables[1][1]);
  Route route;
  route.active = Color::kGreen;
  route.weight = 2500;
  route.flags = kFallback | kClosedBlue;
  route.table[0] = 1;
  route.table[1] = 1;
  store_route(app, route, kControlId, 0, (7ULL << 20) | 3);
  // Relaxed pairs with nothing: one thread.
  app.flipped_unix_ns.store(kTime + 5, std::memory_order_relaxed);
  BootId boot{};
  std::memcpy(boot.bytes, "0123456789abcdef", sizeof(boot.bytes));
  app.holds[0] = make_ticket(123456789, boot);
  app.holds[1] = make_ticket(987654321, boot);
  return region;
}

// Two names, a mirror of `control`'s "app", a used slot with distinct counters, one of another
// owner, two slotless workers.
inline Zeroed<TelemetryRegion> make_telemetry(const ControlRegion& control) {
  auto region = make_zeroed<TelemetryRegion>();
  region->header = make_header(kTelemetryKind, kTelemetryId, kTime);
  // Relaxed pairs with nothing, here and below: one thread.
  constexpr auto kAlone = std::memory_order_relaxed;
  region->slotless.store(2, kAlone);
  add_name(region->names, "tool");
  add_name(region->names, "app");
  MirrorCopy& copy = region->mirrors[1].copies[0];
  AppSnapshot snapshot;
  read_app(control, 0, snapshot);
  copy.control_id = control.header.id;
  copy.word = snapshot.word;
  copy.generation = snapshot.generation;
  copy.accepted_unix_ns = kTime + 9;
  copy.tables[0] = snapshot.tables[0];
  copy.tables[1] = snapshot.tables[1];
  copy.crc = crc32c(reinterpret_cast<const char*>(&copy) + sizeof(copy.crc),
                    sizeof(copy) - sizeof(copy.crc));
  for (std::uint32_t i = 0; i < 2; ++i) {
    Slot& slot = region->slots[i];
    slot.state.store(1, kAlone);
    slot.pid.store(1000 + i, kAlone);
    slot.taken_unix_ns.store(kTime + 20 + i, kAlone);
    slot.attached_control.store(i == 0 ? kControlId : 0, kAlone);
    slot.cycle.store(3 + i, kAlone);
    slot.control_state.store(i == 0 ? 1 : 2, kAlone);
    slot.owners.store(7 + i, kAlone);
  }
  Counters& counters = region->slots[0].counters[1][1];
  counters.in_flight.store(11, kAlone);
  counters.requests.store(12, kAlone);
  for (std::uint64_t i = 0; i < 5; ++i) {
    counters.responses[i].store(21 + i, kAlone);
  }
  counters.no_response.store(31, kAlone);
  counters.tries.store(32, kAlone);
  counters.failures.store(33, kAlone);
  counters.withdrawn.store(34, kAlone);
  counters.waiting.store(41, kAlone);
  counters.weighted.store(42, kAlone);
  counters.previews.store(43, kAlone);
  counters.fallbacks.store(44, kAlone);
  counters.refused.store(45, kAlone);
  return region;
}

// The second part of that file, for one application: a prober, a health, an event, a worker's
// figures.
struct DetailOfOne {
  DetailHeader header;
  EventRing events;
  char zero[offsetof(TelemetryDetail, apps) - offsetof(TelemetryDetail, zero)];
  AppDetail app;
};
static_assert(offsetof(DetailOfOne, app) == offsetof(TelemetryDetail, apps));

inline Zeroed<DetailOfOne> make_detail(const ControlRegion& control) {
  auto detail = make_zeroed<DetailOfOne>();
  make_detail_header(detail->header, kTelemetryId);
  LeaseHolder prober{0, 1};
  try_take_lease(detail->header.lease, prober, 55, 0, [](std::uint32_t) { return true; });
  Event event{};
  event.unix_ns = kTime + 60;
  event.kind = static_cast<std::uint32_t>(EventKind::kHealth);
  event.pid = 1001;
  event.color = 1;
  event.before = static_cast<std::uint8_t>(Health::kHealthy);
  event.after = static_cast<std::uint8_t>(Health::kUnhealthy);
  event.weight = 2500;
  event.generation = 61;
  set_text(event.endpoint, "10.1.2.3:80");
  set_text(event.text, "connect: Connection refused");
  add_event(detail->events, event);
  const EndpointTable& table = control.apps[0].tables[1][1];
  HealthDetail health{};
  health.tag = tag_of(table.endpoints[0], table.generation);
  health.since_unix_ns = kTime + 62;
  health.checked_unix_ns = kTime + 63;
  health.probes = 64;
  health.failures = 65;
  health.latency_us = 66;
  health.status = 503;
  health.health = static_cast<std::uint8_t>(Health::kUnhealthy);
  health.successes_in_row = 67;
  health.failures_in_row = 68;
  set_text(health.last_error, "status 503, expected 200-399");
  write_health(detail->app.health[1][0], prober.epoch, health);
  // Relaxed pairs with nothing: one thread.
  constexpr auto kAlone = std::memory_order_relaxed;
  detail->header.told_control.store(69, kAlone);
  detail->app.health_moves.store(70, kAlone);
  detail->app.told_word.store(71, kAlone);
  ColorDetail& figures = detail->app.slots[1].colors[1];
  figures.connect_errors.store(72, kAlone);
  figures.timeouts.store(73, kAlone);
  figures.other_errors.store(74, kAlone);
  figures.retries.store(75, kAlone);
  figures.bytes_in.store(76, kAlone);
  figures.bytes_out.store(77, kAlone);
  figures.connect.buckets[1].store(78, kAlone);
  figures.first_byte.buckets[2].store(79, kAlone);
  figures.total.buckets[kBuckets - 1].store(80, kAlone);
  return detail;
}

// A folder of the test's own that is gone with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bluegreen-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace bluegreen::shm::sample
