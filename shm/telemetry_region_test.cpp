// The telemetry region: names, and a layout that the mirror of a control region fits into.
#include "shm/telemetry_region.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

TEST_CASE("add_name gives each name one index and keeps it") {
  auto region = sample::make_zeroed<TelemetryRegion>();
  CHECK(find_name(region->names, "app") == kMaxApps);
  CHECK(add_name(region->names, "app") == 0);
  CHECK(add_name(region->names, "tool") == 1);
  CHECK(add_name(region->names, "app") == 0);
  CHECK(find_name(region->names, "tool") == 1);
  CHECK(find_name(region->names, "") == kMaxApps);
  CHECK(add_name(region->names, "../x") == kMaxApps);
  for (std::uint32_t i = 2; i < kMaxApps; ++i) {
    CHECK(add_name(region->names, "n" + std::to_string(i)) == i);
  }
  CHECK(add_name(region->names, "one-more") == kMaxApps);
}

TEST_CASE("find_name reads a name without a NUL only to its field's end") {
  auto region = sample::make_zeroed<TelemetryRegion>();
  // Relaxed pairs with nothing: one thread.
  region->names[5].state.store(1, std::memory_order_relaxed);
  std::memset(region->names[5].name, 'a', sizeof(region->names[5].name));
  region->names[5].zero2[0] = 'b';
  CHECK(find_name(region->names, std::string(64, 'a')) == 5);
  CHECK(find_name(region->names, std::string(64, 'a') + "b") == kMaxApps);
}

TEST_CASE("slot_offset is where the slots are") {
  const auto region = sample::make_zeroed<TelemetryRegion>();
  const auto* base = reinterpret_cast<const char*>(region.get());
  for (const std::uint32_t slot : {0U, 1U, kMaxSlots - 1}) {
    CHECK(base + slot_offset(slot) == reinterpret_cast<const char*>(&region->slots[slot]));
  }
  CHECK(slot_offset(kMaxSlots) == sizeof(TelemetryRegion));
}

TEST_CASE("name_of knows every control state, and takes an unknown one for missing") {
  CHECK(name_of(ControlState::kOk) == "ok");
  CHECK(name_of(ControlState::kDamaged) == "damaged");
  CHECK(name_of(ControlState::kMissing) == "missing");
  CHECK(name_of(static_cast<ControlState>(77)) == "missing");
}
