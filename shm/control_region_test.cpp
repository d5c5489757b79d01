// The control region: applications, publishing and reading, damage, a reader beside a writer.
#include "shm/control_region.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

TEST_CASE("add_app makes blue active with nothing published, once") {
  auto region = sample::make_zeroed<ControlRegion>();
  region->header = make_header(kControlKind, 5, 1);
  CHECK(find_app(*region, "app") == kMaxApps);
  CHECK(add_app(*region, "app") == 0);
  CHECK(add_app(*region, "tool") == 1);
  CHECK(add_app(*region, "app") == 0);
  CHECK(find_app(*region, "tool") == 1);
  AppSnapshot snapshot;
  REQUIRE(read_app(*region, 1, snapshot) == ReadResult::kOk);
  CHECK(snapshot.route.active == Color::kBlue);
  CHECK(snapshot.generation == 1);
  CHECK(snapshot.flipped_unix_ns == 0);
  CHECK_FALSE(is_published(snapshot.tables[0]));
  CHECK_FALSE(is_published(snapshot.tables[1]));
}

TEST_CASE("add_app refuses what is no name and the sixty-fifth") {
  auto region = sample::make_zeroed<ControlRegion>();
  region->header = make_header(kControlKind, 5, 1);
  CHECK(add_app(*region, "a/b") == kMaxApps);
  for (std::uint32_t i = 0; i < kMaxApps; ++i) {
    CHECK(add_app(*region, "app" + std::to_string(i)) == i);
  }
  CHECK(add_app(*region, "one-more") == kMaxApps);
  CHECK(add_app(*region, "app63") == 63);
}

TEST_CASE("An application whose name is damaged or in another record's place is not live") {
  auto region = sample::make_control();
  CHECK(app_is_live(region->apps[0], 0));
  CHECK_FALSE(app_is_live(region->apps[0], 1));
  region->apps[0].name[0] = 'b';
  CHECK_FALSE(app_is_live(region->apps[0], 0));
  CHECK(find_app(*region, "bpp") == kMaxApps);
  // Its record is not given to another application.
  CHECK(add_app(*region, "new") == 2);
}

TEST_CASE("read_app gives what was published, by the tables that the word names") {
  const auto region = sample::make_control();
  AppSnapshot snapshot;
  REQUIRE(read_app(*region, 0, snapshot) == ReadResult::kOk);
  CHECK(snapshot.route.active == Color::kGreen);
  CHECK(snapshot.route.weight == 2500);
  CHECK(snapshot.generation == ((7ULL << 20) | 3));
  CHECK(text_of(snapshot.tables[0].release) == "v1");
  CHECK(text_of(snapshot.tables[1].release) == "v2");
  CHECK(snapshot.tables[1].count == 3);
}

TEST_CASE("A writer killed before its word was stored has changed nothing that counts") {
  auto region = sample::make_control();
  EndpointTable half = sample::make_table(9, "v9", {"127.0.0.1:9"});
  half.crc ^= 1;
  store_table(half, region->apps[0].tables[0][0]);  // the one that the word does not name
  store_table(half, region->apps[0].tables[1][0]);
  // Relaxed pairs with nothing: one thread. The full generation is stored before the word, too.
  region->apps[0].generation.fetch_add(1, std::memory_order_relaxed);
  AppSnapshot snapshot;
  REQUIRE(read_app(*region, 0, snapshot) == ReadResult::kOk);
  CHECK(text_of(snapshot.tables[0].release) == "v1");
  CHECK(snapshot.generation == ((7ULL << 20) | 3));
}

TEST_CASE("read_app tells a damaged word from a damaged table") {
  auto region = sample::make_control();
  AppRecord& app = region->apps[0];
  AppSnapshot snapshot;
  SECTION("table") {
    app.tables[1][1].endpoints[0].port ^= 1;
    CHECK(read_app(*region, 0, snapshot) == ReadResult::kBadTable);
  }
  SECTION("word") {
    // Relaxed pairs with nothing: one thread.
    app.word.store(app.word.load(std::memory_order_relaxed) ^ 1U, std::memory_order_relaxed);
    CHECK(read_app(*region, 0, snapshot) == ReadResult::kBadWord);
  }
  SECTION("word of another region") {
    region->header.id += 1;
    CHECK(read_app(*region, 0, snapshot) == ReadResult::kBadWord);
  }
}

TEST_CASE("store_route refuses a route that is not sound and leaves the record alone") {
  auto region = sample::make_control();
  AppRecord& app = region->apps[0];
  Route heavy;
  heavy.weight = kMaxWeight + 1;
  CHECK_FALSE(store_route(app, heavy, sample::kControlId, 0, 99));
  AppSnapshot snapshot;
  REQUIRE(read_app(*region, 0, snapshot) == ReadResult::kOk);
  CHECK(snapshot.generation == ((7ULL << 20) | 3));
  CHECK(store_route(app, Route{}, sample::kControlId, 0, 99));
}

TEST_CASE("read_app accepts no damaged word or table, wherever the damage is") {
  const auto whole = sample::make_control();
  auto region = sample::make_control();
  AppRecord& app = region->apps[0];
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    unsigned char* part = nullptr;
    std::size_t size = 0;
    switch (random() % 3) {
      case 0:
        part = reinterpret_cast<unsigned char*>(&app.word);
        size = sizeof(app.word);
        break;
      default:
        part = reinterpret_cast<unsigned char*>(&app.tables[random() % 2][1]);
        size = sizeof(EndpointTable);
        break;
    }
    // A run of bytes as a torn or stray write leaves it; a single flipped bit now and then.
    const std::size_t at = random() % size;
    const std::size_t run = std::min<std::size_t>(1 + random() % 64, size - at);
    for (std::size_t k = 0; k < run; ++k) {
      part[at + k] = static_cast<unsigned char>(random());
    }
    const bool same = std::memcmp(&app, &whole->apps[0], sizeof(app)) == 0;
    AppSnapshot snapshot;
    REQUIRE((read_app(*region, 0, snapshot) == ReadResult::kOk) == same);
    std::memcpy(static_cast<void*>(&app), &whole->apps[0], sizeof(app));
  }
}

TEST_CASE("A reader beside a writer that never rests sees whole releases only") {
  auto region = sample::make_zeroed<ControlRegion>();
  region->header = make_header(kControlKind, 5, 1);
  REQUIRE(add_app(*region, "app") == 0);
  AppRecord& app = region->apps[0];
  std::atomic<bool> done{false};
  // Made beforehand, so that the writer does little but store. Both colors get the same one.
  constexpr std::uint64_t kReleases = 64;
  std::vector<EndpointTable> releases;
  for (std::uint64_t i = 0; i < kReleases; ++i) {
    releases.push_back(sample::make_table(i + 1, std::to_string(i).c_str(), {"127.0.0.1:80"}));
  }
  std::thread writer([&] {
    Route route;
    for (std::uint64_t generation = 2; !done; ++generation) {
      for (const Color color : kColors) {
        auto& which = route.table[index_of(color)];
        which ^= 1U;
        store_table(releases[generation % kReleases], app.tables[index_of(color)][which]);
      }
      route.active = other(route.active);
      store_route(app, route, region->header.id, 0, generation);
    }
  });
  std::uint64_t read = 0;
  std::uint64_t moving = 0;
  std::uint64_t last = 0;
  bool good = true;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (good && std::chrono::steady_clock::now() < end) {
    AppSnapshot snapshot;
    const ReadResult result = read_app(*region, 0, snapshot);
    if (result == ReadResult::kMoving) {
      ++moving;
      continue;
    }
    ++read;
    const std::uint64_t release =
        snapshot.generation == 1 ? 0 : snapshot.generation % kReleases + 1;
    good = result == ReadResult::kOk && snapshot.generation >= last &&
           snapshot.tables[0].generation == release && snapshot.tables[1].generation == release;
    last = snapshot.generation;
  }
  done = true;
  writer.join();
  INFO("read " << read << ", moving " << moving << ", last generation " << last);
  CHECK(good);
  CHECK(read > 0);
}
