// The ring of events: the last 256, each whole or not shown.
#include "shm/event_ring.hpp"

#include <catch2/catch.hpp>
#include <memory>

using namespace bluegreen::shm;

namespace {

Event flip(std::uint64_t generation) {
  Event event{};
  event.kind = static_cast<std::uint32_t>(EventKind::kFlip);
  event.generation = generation;
  return event;
}

}  // namespace

TEST_CASE("Event ring shows the last 256 events by their numbers") {
  auto ring = std::make_unique<EventRing>();
  for (std::uint64_t i = 1; i <= kEvents + 10; ++i) {
    add_event(*ring, flip(i));
  }
  CHECK(ring->count == kEvents + 10);
  Event out{};
  CHECK_FALSE(read_event(*ring, 0, out));
  CHECK_FALSE(read_event(*ring, 10, out));
  REQUIRE(read_event(*ring, 11, out));
  CHECK(out.generation == 11);
  REQUIRE(read_event(*ring, kEvents + 10, out));
  CHECK(out.generation == kEvents + 10);
  CHECK_FALSE(read_event(*ring, kEvents + 11, out));
}

TEST_CASE("Event that is torn is not shown, its neighbours are") {
  auto ring = std::make_unique<EventRing>();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    add_event(*ring, flip(i));
  }
  ring->events[1].generation = 77;
  Event out{};
  CHECK(read_event(*ring, 1, out));
  CHECK_FALSE(read_event(*ring, 2, out));
  CHECK(read_event(*ring, 3, out));
}

TEST_CASE("Event kinds have names, an unknown one is none") {
  CHECK(name_of(EventKind::kTelemetryHealed) == "telemetry_healed");
  CHECK(name_of(static_cast<EventKind>(99)) == "none");
}
