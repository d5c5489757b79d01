// Sums over the workers' slots: see figures.hpp.
#include "ngx_module/core/figures.hpp"

#include <catch2/catch.hpp>
#include <memory>

using namespace bluegreen;

namespace {

// The region is far too large for a stack.
std::unique_ptr<shm::TelemetryRegion> region_with_three_slots() {
  auto region = std::make_unique<shm::TelemetryRegion>();
  for (std::uint64_t i = 0; i < 3; ++i) {
    shm::Slot& slot = region->slots[i * 60];
    slot.state = 1;
    slot.pid = 100;
    slot.attached_control = i == 2 ? 8 : 7;
    slot.counters[5][0].in_flight = i + 1;
    slot.counters[5][0].requests = 10 * (i + 1);
    slot.counters[5][0].waiting = 100 * (i + 1);
    slot.counters[5][0].refused = 1000;
    slot.counters[5][1].requests = 1;
  }
  return region;
}

}  // namespace

TEST_CASE("Figures count requests of dead owners and gauges of live ones") {
  const auto region = region_with_three_slots();
  const auto slots =
      core::live_slots(*region, 7, [](std::uint32_t slot) { return slot == 60 || slot == 120; });
  const core::AppFigures sum = core::sum_slots(*region, 5, slots);
  CHECK(sum.color[0].in_flight == 5);
  CHECK(sum.color[0].requests == 60);
  CHECK(sum.color[0].waiting == 500);
  CHECK(sum.color[0].refused == 3000);
  CHECK(sum.color[1].in_flight == 0);
  CHECK(sum.color[1].requests == 3);
  CHECK(slots.workers.live == 2);
  CHECK(slots.workers.attached == 1);
}

TEST_CASE("Figures ask for the lock of slots that were ever used only") {
  const auto region = region_with_three_slots();
  int asked = 0;
  core::live_slots(*region, 7, [&asked](std::uint32_t) { return ++asked != 0; });
  CHECK(asked == 3);
}

TEST_CASE("Workers without a control region are attached to none") {
  const auto region = region_with_three_slots();
  region->slots[0].attached_control = 0;
  CHECK(core::live_slots(*region, 0, [](std::uint32_t) { return true; }).workers.attached == 0);
}

TEST_CASE("Figures of an index that is none are 0") {
  const auto region = region_with_three_slots();
  const auto slots = core::live_slots(*region, 7, [](std::uint32_t) { return true; });
  CHECK(core::sum_slots(*region, shm::kMaxApps, slots).color[0].requests == 0);
  CHECK(core::sum_slots(*region, 4000000000U, slots).color[0].requests == 0);
}
