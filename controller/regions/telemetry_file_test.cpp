// Tests of telemetry_file.hpp: a real file, written as NGINX's workers write it.
#include "controller/regions/telemetry_file.hpp"

#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <vector>

#include "controller/regions/test_folder.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen {
namespace {

constexpr std::uint64_t kControl = 77;

// A worker: a slot of its own, held by a descriptor of its own.
struct Worker {
  shm::UniqueFd fd;
  shm::Mapping mapping;
  std::uint32_t number = shm::kNoSlot;

  shm::TelemetryRegion& region() { return *static_cast<shm::TelemetryRegion*>(mapping.data()); }
  shm::Slot& slot() { return region().slots[number]; }
};

struct Fixture {
  TestFolder folder;
  std::string path = folder.path + "/telemetry";
  TelemetryFile file{path};

  Fixture() {
    std::vector<std::uint64_t> image(sizeof(shm::TelemetryRegion) / 8 + 1);
    auto& region = *reinterpret_cast<shm::TelemetryRegion*>(image.data());
    region.header = shm::make_header(shm::kTelemetryKind, 5, 6);
    shm::add_name(region.names, "other");
    shm::add_name(region.names, "app");
    REQUIRE(shm::create_region_file(path.c_str(), image.data(), sizeof(shm::TelemetryRegion),
                                    shm::RegionOwner{}) == 0);
  }

  Worker worker(std::uint64_t attached = kControl) {
    Worker worker;
    REQUIRE(shm::open_region(path.c_str(), O_RDWR, shm::kTelemetryKind, worker.fd).result ==
            shm::OpenResult::kOk);
    REQUIRE(
        worker.mapping.map(worker.fd.get(), sizeof(shm::TelemetryRegion), PROT_READ | PROT_WRITE));
    worker.number = shm::take_slot(worker.fd.get(), worker.region(), 4000, 1);
    REQUIRE(worker.number != shm::kNoSlot);
    worker.slot().attached_control = attached;
    return worker;
  }
  DrainView look(const std::string& app = "app") {
    const auto view = file.drain_view(app, Color::kGreen, kControl);
    REQUIRE(view);
    return *view;
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "TelemetryFile: exact when every live worker obeys this control file") {
  Worker one = worker();
  Worker two = worker();
  one.slot().counters[1][1].in_flight = 2;
  two.slot().counters[1][1].in_flight = 1;
  two.slot().counters[1][0].in_flight = 9;  // another color
  two.slot().counters[0][1].in_flight = 9;  // another application
  DrainView view = look();
  CHECK(view.exact);
  CHECK(view.reason.empty());
  CHECK(view.in_flight == 3);
  CHECK(view.live_workers == 2);
  one.slot().counters[1][1].in_flight = 0;
  two.slot().counters[1][1].in_flight = 0;
  CHECK(look().in_flight == 0);
}

TEST_CASE_METHOD(Fixture, "TelemetryFile: a dead worker's gauge is nobody's, its counters stay") {
  Worker alive = worker();
  {
    Worker dead = worker();
    dead.slot().counters[1][1].in_flight = 4;
    dead.slot().counters[1][1].requests = 10;
    CHECK(file.figures("app", Color::kGreen)->in_flight == 4);
  }
  CHECK(look().exact);
  CHECK(look().in_flight == 0);
  CHECK(file.figures("app", Color::kGreen)->in_flight == 0);
  CHECK(file.figures("app", Color::kGreen)->requests == 10);
}

TEST_CASE_METHOD(Fixture, "TelemetryFile: figures are summed, gauges over those who live only") {
  Worker alive = worker();
  const auto fill = [](shm::Counters& counters) {
    counters.waiting = 1;
    counters.weighted = 2;
    counters.responses[4] = 7;
    counters.no_response = 8;
    counters.tries = 9;
    counters.failures = 5;
    counters.previews = 3;
    counters.fallbacks = 4;
    counters.refused = 5;
  };
  fill(alive.slot().counters[1][1]);
  {
    Worker dead = worker();
    fill(dead.slot().counters[1][1]);
    CHECK(file.figures("app", Color::kGreen)->waiting == 2);
  }
  const auto figures = file.figures("app", Color::kGreen);
  REQUIRE(figures);
  CHECK(figures->waiting == 1);
  CHECK(figures->weighted == 4);
  CHECK(figures->responses[4] == 14);
  CHECK(figures->responses[0] == 0);
  CHECK(figures->no_response == 16);
  CHECK(figures->tries == 18);
  CHECK(figures->failures == 10);
  CHECK(figures->previews == 6);
  CHECK(figures->fallbacks == 8);
  CHECK(figures->refused == 10);
  CHECK(file.figures("app", Color::kBlue)->refused == 0);
}

TEST_CASE_METHOD(Fixture,
                 "TelemetryFile: inexact while a worker obeys another control file or none") {
  Worker one = worker();
  Worker two = worker(0);
  CHECK_FALSE(look().exact);
  CHECK(look().reason == "NGINX worker 4000 has not attached to this control file");
  two.slot().attached_control = 78;
  CHECK(look().reason == "NGINX worker 4000 obeys another control file");
  two.slot().attached_control = kControl;
  CHECK(look().exact);
}

TEST_CASE_METHOD(Fixture, "TelemetryFile: inexact with no worker, slotless ones, an unknown app") {
  CHECK(look().reason == path + ": no NGINX worker is alive");
  Worker one = worker();
  CHECK(look().exact);
  CHECK(look("nobody").reason == path + ": NGINX has no upstream with `bluegreen nobody`");
  one.region().slotless = 1;
  CHECK_FALSE(look().exact);
  CHECK(look().reason == "1 NGINX workers serve without a telemetry slot");
}

TEST_CASE_METHOD(Fixture, "TelemetryFile: a file that is missing, cut or foreign is the reason") {
  Worker one = worker();
  std::filesystem::resize_file(path, 2'000'000);
  CHECK(look().reason ==
        "telemetry cannot be read: " + path + ": too short: expected 3444736 bytes, found 2000000");
  CHECK_FALSE(file.figures("app", Color::kGreen));
  CHECK(file.state(kControl).result == shm::OpenResult::kTooShort);
  std::filesystem::resize_file(path, 0);
  CHECK_FALSE(look().exact);
  std::filesystem::remove(path);
  CHECK(look().reason == "telemetry cannot be read: " + path + ": no such file");
  CHECK(file.state(kControl).result == shm::OpenResult::kAbsent);
}

TEST_CASE_METHOD(Fixture, "TelemetryFile: the state counts live and attached workers") {
  Worker one = worker();
  Worker two = worker(1);
  const TelemetryState state = file.state(kControl);
  CHECK(state.result == shm::OpenResult::kOk);
  CHECK(state.id == 5);
  CHECK(state.live_workers == 2);
  CHECK(state.attached_workers == 1);
}

}  // namespace bluegreen
