// Stands in for the prober in tests of what follows from a health: takes the lease, keeps it while
// it runs, and writes what it is told, through the headers that NGINX uses.
//
//   prober_tool TELEMETRY CONTROL APP
//
// The lease is held with a slot that no worker has, locked by this process: no worker probes until
// it ends. At its start every endpoint is unknown. Then it reads lines of "COLOR PLACE HEALTH" and
// answers each with "ok" when the word and its count are stored. Tables come from CONTROL, as
// published. Ends with its input; exit 0, or 1 with a line on stderr.
#include <iostream>
#include <string>

#include "shm/clock.hpp"
#include "shm/control_region.hpp"
#include "shm/telemetry_detail.hpp"
#include "shm/worker_slots.hpp"

namespace {

using namespace bluegreen::shm;

constexpr std::uint32_t kSlot = kMaxSlots - 1;

int fail(const std::string& why) {
  std::cerr << "prober_tool: " << why << '\n';
  return 1;
}

std::uint32_t take_lease(ProberLease& lease) {
  // Acquire and release pair with workers that hold it or ask for it.
  const std::uint32_t epoch = lease_holder(lease.holder.load(std::memory_order_acquire)).epoch + 1;
  constexpr std::uint64_t kHour = 3600ULL * 1000 * 1000 * 1000;
  lease.renewed_ns[epoch & 1].store(clock_ns(CLOCK_BOOTTIME) + kHour, std::memory_order_release);
  lease.holder.store(pack_holder({epoch, kSlot}), std::memory_order_release);
  return epoch;
}

bool write(AppDetail& board, std::uint32_t epoch, const AppSnapshot& app, Color color,
           std::uint32_t place, Health health) {
  const EndpointTable& table = app.tables[index_of(color)];
  HealthDetail detail{};
  detail.tag = tag_of(table.endpoints[place], table.generation);
  detail.health = static_cast<std::uint8_t>(health);
  detail.since_unix_ns = detail.checked_unix_ns = clock_ns(CLOCK_REALTIME);
  detail.probes = 1;
  return write_health(board.health[index_of(color)][place], epoch, detail);
}

bool parse_health(const std::string& text, Health& out) {
  for (const Health health :
       {Health::kUnknown, Health::kHealthy, Health::kUnhealthy, Health::kDegraded}) {
    if (text == name_of(health)) {
      out = health;
      return true;
    }
  }
  return false;
}

int serve(AppDetail& board, std::uint32_t epoch, const ControlRegion& control,
          std::uint32_t index) {
  AppSnapshot app;
  if (read_app(control, index, app) != ReadResult::kOk) {
    return fail("no tables");
  }
  for (const Color color : kColors) {
    for (std::uint32_t i = 0; i < app.tables[index_of(color)].count; ++i) {
      write(board, epoch, app, color, i, Health::kUnknown);
    }
  }
  // Release in both pairs with the acquire of workers.
  board.health_moves.fetch_add(1, std::memory_order_release);
  std::cout << "ok" << std::endl;
  std::string color;
  std::uint32_t place = 0;
  std::string health;
  while (std::cin >> color >> place >> health) {
    Health value{};
    const Color c = color == "green" ? Color::kGreen : Color::kBlue;
    if (read_app(control, index, app) != ReadResult::kOk || !parse_health(health, value) ||
        place >= app.tables[index_of(c)].count || !write(board, epoch, app, c, place, value)) {
      return fail("cannot write " + color + " " + std::to_string(place) + " " + health);
    }
    board.health_moves.fetch_add(1, std::memory_order_release);
    std::cout << "ok" << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return fail("usage: TELEMETRY CONTROL APP");
  }
  UniqueFd fd;
  UniqueFd control_fd;
  struct stat status {};
  if (open_region(argv[1], O_RDWR, kTelemetryKind, fd).result != OpenResult::kOk ||
      open_region(argv[2], O_RDWR, kControlKind, control_fd).result != OpenResult::kOk ||
      ::fstat(fd.get(), &status) != 0) {
    return fail("cannot open the files");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  Mapping mapping;
  Mapping control;
  if (!mapping.map(fd.get(), size, PROT_READ | PROT_WRITE) ||
      !control.map(control_fd.get(), sizeof(ControlRegion), PROT_READ | PROT_WRITE)) {
    return fail("mmap");
  }
  const auto& region = *static_cast<ControlRegion*>(control.data());
  auto& telemetry = *static_cast<TelemetryRegion*>(mapping.data());
  const std::uint32_t index = find_app(region, argv[3]);
  const std::uint32_t place = find_name(telemetry.names, argv[3]);
  if (index == kMaxApps || place == kMaxApps || size < detail_file_size(place + 1)) {
    return fail("no application");
  }
  if (!try_lock_byte(fd.get(), slot_offset(kSlot))) {
    return fail("its slot is taken");
  }
  auto& detail = *reinterpret_cast<TelemetryDetail*>(&telemetry + 1);
  return serve(detail.apps[place], take_lease(detail.header.lease), region, index);
}
