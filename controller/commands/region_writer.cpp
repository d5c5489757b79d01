// region_writer CONTROL TELEMETRY APP: does to two region files what a controller and one worker of
// NGINX would, for tests of commands that look at them. Never shipped.
//
// Makes the telemetry file, with the second part, when it is not there. Then obeys lines of stdin,
// each answered by "ok", and lives until its end (so does its slot):
//     publish COLOR ADDRESS...         a new table
//     health COLOR PLACE NAME [TEXT]   what a probe found of the table's endpoint at that place
//     worker                           takes a slot, attached to the control file
//     lease                            that worker probes from now on
//     slotless NUMBER                  workers without a slot
// Anything that fails ends it with 1 and a line on stderr. One thread.
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include "controller/commands/target.hpp"
#include "controller/regions/control_file.hpp"
#include "shm/clock.hpp"
#include "shm/mapping.hpp"
#include "shm/telemetry_detail.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen {
namespace {

constexpr std::uint64_t kRegionId = 5;

struct RegionWriter {
  std::unique_ptr<ControlFile> control;
  std::string app;
  shm::UniqueFd fd;
  shm::Mapping mapping;
  std::uint32_t slot = shm::kNoSlot;
  shm::LeaseHolder lease;

  shm::TelemetryRegion& region() { return *static_cast<shm::TelemetryRegion*>(mapping.data()); }
  shm::TelemetryDetail& detail() {
    return *reinterpret_cast<shm::TelemetryDetail*>(static_cast<char*>(mapping.data()) +
                                                    shm::kDetailOffset);
  }
};

bool make_file(const std::string& path, const std::string& app) {
  std::vector<std::uint64_t> image(sizeof(shm::TelemetryRegion) / 8 + 1);
  auto& first = *reinterpret_cast<shm::TelemetryRegion*>(image.data());
  first.header = shm::make_header(shm::kTelemetryKind, kRegionId, 6);
  shm::add_name(first.names, app);
  if (shm::create_region_file(path.c_str(), image.data(), sizeof(first), shm::RegionOwner{}) != 0) {
    return false;
  }
  std::filesystem::resize_file(path, shm::detail_file_size(1));
  return true;
}

bool open_file(RegionWriter& writer, const std::string& path) {
  const bool made = !std::filesystem::exists(path);
  if ((made && !make_file(path, writer.app)) ||
      shm::open_region(path.c_str(), O_RDWR, shm::kTelemetryKind, writer.fd).result !=
          shm::OpenResult::kOk ||
      !writer.mapping.map(writer.fd.get(), shm::detail_file_size(1), PROT_READ | PROT_WRITE)) {
    return false;
  }
  if (made) {
    shm::make_detail_header(writer.detail().header, kRegionId);
  }
  return true;
}

bool publish(RegionWriter& writer, std::istringstream& words) {
  std::string word;
  words >> word;
  const auto color = parse_color(word);
  Publication publication{"v1", "image:v1", "d1", {}};
  while (words >> word) {
    shm::Endpoint endpoint{};
    if (!shm::parse_endpoint(word, endpoint)) {
      return false;
    }
    endpoint.identity = publication.endpoints.size() + 1;
    publication.endpoints.push_back(endpoint);
  }
  return color && writer.control->publish(writer.app, *color, publication);
}

bool health(RegionWriter& writer, std::istringstream& words) {
  std::string color_word;
  std::string name;
  std::uint32_t place = 0;
  std::string text;
  words >> color_word >> place >> name;
  std::getline(words >> std::ws, text);
  const auto color = parse_color(color_word);
  const auto now = writer.control->read(writer.app);
  if (!color || !now || place >= now->tables[shm::index_of(*color)].count) {
    return false;
  }
  const shm::EndpointTable& table = now->tables[shm::index_of(*color)];
  shm::HealthDetail found{};
  found.tag = shm::tag_of(table.endpoints[place], table.generation);
  found.since_unix_ns = 1'767'225'600'000'000'000U;  // 2026-01-01T00:00:00Z
  found.checked_unix_ns = found.since_unix_ns + 5'000'000'000U;
  found.probes = 7;
  found.failures = 3;
  found.latency_us = 1500;
  found.status = 503;
  for (const shm::Health state : {shm::Health::kUnknown, shm::Health::kHealthy,
                                  shm::Health::kUnhealthy, shm::Health::kDegraded}) {
    if (shm::name_of(state) == name) {
      found.health = static_cast<std::uint8_t>(state);
    }
  }
  return shm::set_text(found.last_error, text) &&
         shm::write_health(writer.detail().apps[0].health[shm::index_of(*color)][place],
                           writer.lease.epoch, found);
}

bool worker(RegionWriter& writer) {
  writer.slot =
      shm::take_slot(writer.fd.get(), writer.region(), static_cast<std::uint32_t>(::getpid()), 1);
  if (writer.slot == shm::kNoSlot) {
    return false;
  }
  // Release pairs with nobody here: bgctl reads by pread.
  writer.region().slots[writer.slot].attached_control.store(writer.control->id(),
                                                            std::memory_order_release);
  return true;
}

bool lease(RegionWriter& writer) {
  writer.lease.slot = writer.slot;
  return shm::try_take_lease(writer.detail().header.lease, writer.lease,
                             shm::clock_ns(CLOCK_BOOTTIME), 0, [](std::uint32_t) { return true; });
}

bool obey(RegionWriter& writer, const std::string& line) {
  std::istringstream words(line);
  std::string order;
  words >> order;
  if (order == "slotless") {
    std::uint64_t count = 0;
    words >> count;
    writer.region().slotless = count;
    return true;
  }
  return order == "publish"  ? publish(writer, words)
         : order == "health" ? health(writer, words)
         : order == "worker" ? worker(writer)
         : order == "lease"  ? lease(writer)
                             : false;
}

int write_regions(const char* control, const char* telemetry, const char* app) {
  auto opened = ControlFile::open(control, ControlAccess::kChange,
                                  std::filesystem::path(control).parent_path() / "run");
  if (!opened) {
    std::cerr << opened.error().what << "\n";
    return 1;
  }
  RegionWriter writer{std::move(*opened), app, {}, {}, shm::kNoSlot, {}};
  if (!open_file(writer, telemetry)) {
    std::cerr << telemetry << ": cannot be made or opened\n";
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (!obey(writer, line)) {
      std::cerr << "cannot do: " << line << "\n";
      return 1;
    }
    std::cout << "ok" << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace bluegreen

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "region_writer: expected CONTROL TELEMETRY APP\n";
    return 1;
  }
  return bluegreen::write_regions(argv[1], argv[2], argv[3]);
}
