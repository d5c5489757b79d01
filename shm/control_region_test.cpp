// The control region: applications, publishing and reading, damage, a reader and its writer.
#include "shm/control_region.hpp"

#include <signal.h>
#include <sys/time.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
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

namespace {

// A writer that interrupts its reader anywhere, the middle of a copy included: it runs in the
// handler of a timer's signal, in the reader's own thread, so it needs no second core to hit.
// Each time it publishes three releases, so that the tables that were being read are overwritten.
struct InterruptingWriter {
  static constexpr std::uint64_t kReleases = 64;
  // Shorter than a read takes, most of the time; never always, or nothing would be read.
#if defined(__SANITIZE_THREAD__)
  static constexpr suseconds_t kMicroseconds = 2000;
#else
  static constexpr suseconds_t kMicroseconds = 40;
#endif
  static inline InterruptingWriter* current = nullptr;

  explicit InterruptingWriter(ControlRegion& r) : region(r) {
    for (std::uint64_t i = 0; i < kReleases; ++i) {
      releases.push_back(sample::make_table(i + 1, std::to_string(i).c_str(), {"127.0.0.1:80"}));
    }
    current = this;
    struct sigaction action {};
    action.sa_handler = [](int) { current->publish(); };
    ::sigaction(SIGALRM, &action, &before);
    const itimerval often{{0, kMicroseconds}, {0, kMicroseconds}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
  }
  InterruptingWriter(const InterruptingWriter&) = delete;
  InterruptingWriter& operator=(const InterruptingWriter&) = delete;
  ~InterruptingWriter() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
  }

  // Only stores: safe in a handler.
  void publish() {
    for (int i = 0; i < 3; ++i) {
      ++generation;
      for (const Color color : kColors) {
        auto& which = route.table[index_of(color)];
        which ^= 1U;
        store_table(releases[generation % kReleases],
                    region.apps[0].tables[index_of(color)][which]);
      }
      route.active = other(route.active);
      store_route(region.apps[0], route, region.header.id, 0, generation);
    }
  }

  ControlRegion& region;
  std::vector<EndpointTable> releases;
  Route route;
  std::uint64_t generation = 1;
  struct sigaction before {};
};

}  // namespace

TEST_CASE("A reader that a writer interrupts anywhere sees whole releases only") {
  auto region = sample::make_zeroed<ControlRegion>();
  region->header = make_header(kControlKind, 5, 1);
  REQUIRE(add_app(*region, "app") == 0);
  std::uint64_t read = 0;
  std::uint64_t torn = 0;
  std::uint64_t last = 0;
  {
    InterruptingWriter writer(*region);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(700);
    while (std::chrono::steady_clock::now() < end) {
      AppSnapshot snapshot;
      const ReadResult result = read_app(*region, 0, snapshot);
      if (result == ReadResult::kMoving) {
        continue;
      }
      ++read;
      const std::uint64_t release =
          snapshot.generation == 1 ? 0 : snapshot.generation % InterruptingWriter::kReleases + 1;
      const bool whole = result == ReadResult::kOk && snapshot.generation >= last &&
                         snapshot.tables[0].generation == release &&
                         snapshot.tables[1].generation == release;
      torn += whole ? 0 : 1;
      last = snapshot.generation;
    }
  }
  INFO("read " << read << ", last generation " << last);
  CHECK(torn == 0);
  CHECK(read > 0);
  CHECK(last > 100);
}
