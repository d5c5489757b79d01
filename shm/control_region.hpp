// The control region: what bgctl says and NGINX obeys.
//
//        0  4096  header (region_file.hpp); `stride` 24576, `entries` 32
//     4096  64 application records of 24576 bytes:
//              0  u32   state: 0 free, 1 live; stored last when an application is added
//              4  u32   CRC-32C over the name field, then the index as u32
//              8  64    name
//             72  56    zero
//            128  u64   route word (route_word.hpp)
//            136  u64   the full generation, of which the word has 20 bits
//            144  u64   time of the last flip, Unix nanoseconds; 0 never
//            152  40    zero
//            192  32    hold ticket of even generations (hold_ticket.hpp)
//            224  32    hold ticket of odd generations
//            256  ..    zero
//           4096  5120  blue's table 0, then blue's 1, green's 0, green's 1 (endpoint.hpp)
//
// An application counts when its state is 1 and the CRC of its name is right. Applications are
// never moved or removed, so an index once found stays.
//
// Writer (one: bgctl, which holds its lock), to publish a table:
//   1. fill the table of that color that the word does not name; flush it
//   2. store the full generation + 1, then the word with the other table and that generation
//   3. flush the page of the word; only now is the command done
// A writer killed before 2 has changed nothing that counts; killed after it, everything.
// To route otherwise (flip, weight, flags) only 2 and 3 are needed. A word with the hold flag needs
// its generation's ticket in place, and flushed, before 2.
//
// Reader (an NGINX worker), when the word is not the one it accepted last:
//   1. load the word; refuse it if it is not valid
//   2. copy the tables that it names; check them; with the hold flag, copy its ticket too
//   3. load the word again; if it moved, begin anew, at most kReadTries times, and then keep what
//      it had: the writer is never waited for
// A table is not overwritten while the word names it, so a copy between two equal words is whole.
//
// Workers map it read-only. Errors are values.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "shm/checksum.hpp"
#include "shm/endpoint.hpp"
#include "shm/hold_ticket.hpp"
#include "shm/limits.hpp"
#include "shm/region_file.hpp"
#include "shm/route_word.hpp"
#include "shm/text_field.hpp"

namespace bluegreen::shm {

inline constexpr int kReadTries = 3;

struct AppRecord {
  std::atomic<std::uint32_t> state;
  std::uint32_t name_crc;
  char name[kAppNameSize];
  char zero1[56];
  std::atomic<std::uint64_t> word;
  std::atomic<std::uint64_t> generation;
  std::atomic<std::uint64_t> flipped_unix_ns;
  char zero2[40];
  HoldTicket holds[2];  // [generation & 1]
  char zero3[3840];
  EndpointTable tables[2][2];  // [color][which]
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(AppRecord) == 24576 && offsetof(AppRecord, name) == 8 &&
              offsetof(AppRecord, word) == 128 && offsetof(AppRecord, generation) == 136 &&
              offsetof(AppRecord, flipped_unix_ns) == 144 && offsetof(AppRecord, holds) == 192 &&
              offsetof(AppRecord, tables) == 4096);

struct ControlRegion {
  RegionHeader header;
  char zero[kHeaderArea - sizeof(RegionHeader)];
  AppRecord apps[kMaxApps];
};
static_assert(sizeof(ControlRegion) == 4096 + 64 * 24576 &&
              offsetof(ControlRegion, apps) == kHeaderArea);

inline constexpr RegionKind kControlKind = {{'B', 'G', 'C', 'T', 'R', 'L', '\r', '\n'},
                                            "control",
                                            sizeof(ControlRegion),
                                            sizeof(AppRecord),
                                            kMaxEndpoints};

inline std::uint32_t app_name_crc(const char (&name)[kAppNameSize], std::uint32_t index) noexcept {
  char bytes[kAppNameSize + sizeof(index)];
  std::memcpy(bytes, name, kAppNameSize);
  std::memcpy(bytes + kAppNameSize, &index, sizeof(index));
  return crc32c(bytes, sizeof(bytes));
}

inline bool app_is_live(const AppRecord& app, std::uint32_t index) noexcept {
  // Acquire pairs with the release in add_app: a live record has its name, tables and word.
  return app.state.load(std::memory_order_acquire) == 1 &&
         app.name_crc == app_name_crc(app.name, index);
}

// The index of a live application, or kMaxApps.
inline std::uint32_t find_app(const ControlRegion& region, std::string_view name) noexcept {
  for (std::uint32_t i = 0; i < kMaxApps; ++i) {
    if (app_is_live(region.apps[i], i) && text_of(region.apps[i].name) == name) {
      return i;
    }
  }
  return kMaxApps;
}

// Copies the table as words: the writer may be at work on it, the caller checks the copy and then
// the route word again.
inline void copy_table(const EndpointTable& from, EndpointTable& to) noexcept {
  static_assert(sizeof(EndpointTable) % sizeof(std::uint64_t) == 0);
  const auto* source = reinterpret_cast<const std::uint64_t*>(&from);
  auto* target = reinterpret_cast<char*>(&to);
  for (std::size_t i = 0; i < sizeof(EndpointTable) / sizeof(std::uint64_t); ++i) {
    // Relaxed pairs with store_table's relaxed: no word is torn; whether the whole is, the CRC and
    // the second look at the route word tell.
    const std::uint64_t value = __atomic_load_n(source + i, __ATOMIC_RELAXED);
    std::memcpy(target + i * sizeof(value), &value, sizeof(value));
  }
}

// Writer's half of copy_table; `from` already has its CRC.
inline void store_table(const EndpointTable& from, EndpointTable& to) noexcept {
  const auto* source = reinterpret_cast<const char*>(&from);
  auto* target = reinterpret_cast<std::uint64_t*>(&to);
  for (std::size_t i = 0; i < sizeof(EndpointTable) / sizeof(std::uint64_t); ++i) {
    std::uint64_t value = 0;
    std::memcpy(&value, source + i * sizeof(value), sizeof(value));
    // Relaxed pairs with copy_table; the store of the word that follows is what publishes it.
    __atomic_store_n(target + i, value, __ATOMIC_RELAXED);
  }
}

inline bool same_table(const EndpointTable& a, const EndpointTable& b) noexcept {
  return std::memcmp(&a, &b, sizeof(EndpointTable)) == 0;
}

enum class ReadResult : std::uint8_t { kOk, kBadWord, kBadTable, kMoving };

struct AppSnapshot {
  std::uint64_t word = 0;
  std::uint64_t generation = 0;  // full
  std::uint64_t flipped_unix_ns = 0;
  Route route;
  HoldTicket hold{};        // the word's own; all zero, which never counts, without the hold flag
  EndpointTable tables[2];  // [color], the ones that the word names
};

// The reader's steps above. On anything but kOk `out` is undefined. `known`: tables that were found
// valid before, by color, or nullptr. The same bytes are not checked again: the CRC of both tables
// would be 20 us in every worker's first request after every flip. `moved`: whether a table is not
// the known one.
inline ReadResult read_app(const ControlRegion& region, std::uint32_t index, AppSnapshot& out,
                           const EndpointTable* known = nullptr, bool* moved = nullptr) noexcept {
  const AppRecord& app = region.apps[index];
  for (int attempt = 0; attempt < kReadTries; ++attempt) {
    // Acquire pairs with the seq_cst store in store_route: the tables that it names are visible.
    const std::uint64_t word = app.word.load(std::memory_order_acquire);
    if (!route_is_valid(word, region.header.id, index)) {
      return ReadResult::kBadWord;
    }
    out.word = word;
    out.route = unpack_route(word);
    // Relaxed pairs with store_route: full_generation repairs a value from just before or after.
    out.generation =
        full_generation(out.route.generation, app.generation.load(std::memory_order_relaxed));
    // Relaxed pairs with store_route: shown to people only.
    out.flipped_unix_ns = app.flipped_unix_ns.load(std::memory_order_relaxed);
    out.hold = HoldTicket{};
    if (out.route.has(kHold)) {
      copy_ticket(app.holds[out.route.generation & 1U], out.hold);
    }
    for (const Color color : kColors) {
      const std::size_t c = index_of(color);
      copy_table(app.tables[c][out.route.table[c]], out.tables[c]);
    }
    // The fence pairs with the release in store_route: if any byte copied above came from a table
    // that was stored after a newer word, the load below sees that word.
    std::atomic_thread_fence(std::memory_order_acquire);
    // Relaxed, ordered by the fence above, pairs with store_route.
    if (app.word.load(std::memory_order_relaxed) != word) {
      continue;
    }
    const auto is_known = [&out, known](std::size_t c) {
      return known != nullptr && same_table(out.tables[c], known[c]);
    };
    const bool same[2] = {is_known(0), is_known(1)};
    if (moved != nullptr) {
      *moved = !same[0] || !same[1];
    }
    return (same[0] || table_is_valid(out.tables[0])) && (same[1] || table_is_valid(out.tables[1]))
               ? ReadResult::kOk
               : ReadResult::kBadTable;
  }
  return ReadResult::kMoving;
}

// Writer's step 2, under the writer's lock: everything that the route names is in place. False,
// and nothing is stored, when the route is not one (route_is_sound).
inline bool store_route(AppRecord& app, const Route& route, std::uint64_t region_id,
                        std::uint32_t index, std::uint64_t generation) noexcept {
  if (!route_is_sound(route)) {
    return false;
  }
  // Relaxed pairs with read_app's relaxed load of the generation, see full_generation.
  app.generation.store(generation, std::memory_order_relaxed);
  Route numbered = route;
  numbered.generation = static_cast<std::uint32_t>(generation & kGenerationMask);
  // Sequentially consistent pairs with the gauge store and word load of InFlight (in_flight.hpp):
  // a worker either sees this word, or its gauge is seen by the drain that follows.
  app.word.store(pack_route(numbered, region_id, index), std::memory_order_seq_cst);
  // Keeps a later store_table behind this word; pairs with read_app's acquire fence.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
}

// A table that nobody has published: `bluegreen_server` lines count instead.
inline EndpointTable unpublished_table() noexcept {
  EndpointTable table{};
  table.crc = table_crc(table);
  return table;
}

inline bool is_published(const EndpointTable& table) noexcept {
  return table.generation != 0;
}

// Adds an application, under the writer's lock: blue active, generation 1, nothing published.
// The index; the one it has if it is there already; kMaxApps when the region is full, the name is
// not one, or its slot is taken.
inline std::uint32_t add_app(ControlRegion& region, std::string_view name) noexcept {
  const std::uint32_t known = find_app(region, name);
  if (known != kMaxApps || !is_app_name(name)) {
    return known;
  }
  for (std::uint32_t i = 0; i < kMaxApps; ++i) {
    AppRecord& app = region.apps[i];
    // Relaxed: the only writer reads what it wrote itself; pairs with no other thread.
    if (app.state.load(std::memory_order_relaxed) != 0) {
      continue;
    }
    set_text(app.name, name);
    app.name_crc = app_name_crc(app.name, i);
    const EndpointTable empty = unpublished_table();
    for (auto& color : app.tables) {
      store_table(empty, color[0]);
      store_table(empty, color[1]);
    }
    store_route(app, Route{}, region.header.id, i, 1);
    // Release pairs with the acquire in app_is_live.
    app.state.store(1, std::memory_order_release);
    return i;
  }
  return kMaxApps;
}

}  // namespace bluegreen::shm
