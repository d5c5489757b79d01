// ControlFile's changes, see control_file.hpp; the writer's steps are those of
// shm/control_region.hpp.
#include "controller/regions/control_file.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>

#include "controller/host/kill_point.hpp"
#include "controller/host/lock.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

// A change takes microseconds and one flush: who cannot get the writer lock in this time waits for
// a process that hangs.
constexpr std::chrono::seconds kWriterWait{10};

std::string hex(std::uint64_t value, int digits) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%0*llx", digits,
                static_cast<unsigned long long>(value));
  return text.data();
}

std::uint64_t now_unix_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

std::string bad_word(const shm::AppRecord& record, std::uint64_t id, std::uint32_t index) {
  // Relaxed: for a message only; pairs with nothing.
  const std::uint64_t word = record.word.load(std::memory_order_relaxed);
  constexpr std::uint64_t kPayload = (std::uint64_t{1} << 45U) - 1;
  const std::uint64_t check = shm::route_check(word & kPayload, id, index);
  const std::string found = "damaged route word " + hex(word, 16);
  if (word == 0) {
    return found + ": it was never written, or the page is lost";
  }
  if ((word >> 45U) != check) {
    return found + ": expected check " + hex(check, 5) + ", found " + hex(word >> 45U, 5);
  }
  return found + ": its weight or flags are impossible";
}

std::string bad_table(const shm::AppSnapshot& snapshot) {
  for (const Color color : shm::kColors) {
    const std::size_t c = shm::index_of(color);
    const shm::EndpointTable& table = snapshot.tables[c];
    if (shm::table_is_valid(table)) {
      continue;
    }
    const std::string which = "damaged endpoint table " + std::to_string(snapshot.route.table[c]) +
                              " of " + std::string(shm::name_of(color));
    const std::uint32_t crc = shm::table_crc(table);
    if (crc != table.crc) {
      return which + ": expected checksum " + hex(crc, 8) + ", found " + hex(table.crc, 8);
    }
    return which + ": its count (" + std::to_string(table.count) + ") or an endpoint is impossible";
  }
  return "damaged endpoint table";
}

template <std::size_t N>
Result<void> set_field(char (&field)[N], const char* what, const std::string& text) {
  if (!shm::set_text(field, text)) {
    return fail(ExitCode::kUsage, std::string(what) + " \"" + printable(text.substr(0, 64)) +
                                      "\": expected at most " + std::to_string(N - 1) +
                                      " bytes, found " + std::to_string(text.size()));
  }
  return {};
}

Result<shm::EndpointTable> make_table(const Publication& publication, std::uint64_t generation) {
  shm::EndpointTable table{};
  if (publication.endpoints.size() > shm::kMaxEndpoints) {
    return fail(ExitCode::kUsage, "expected at most " + std::to_string(shm::kMaxEndpoints) +
                                      " endpoints a color, found " +
                                      std::to_string(publication.endpoints.size()));
  }
  for (const shm::Endpoint& endpoint : publication.endpoints) {
    if (!shm::endpoint_is_valid(endpoint)) {
      return fail(ExitCode::kUsage, "endpoint " + std::to_string(table.count) +
                                        " has no valid address, port or weight");
    }
    table.endpoints[table.count++] = endpoint;
  }
  auto set = set_field(table.release, "release", publication.release);
  set = set ? set_field(table.deploy_id, "deploy id", publication.deploy_id) : set;
  set = set ? set_field(table.image, "image", publication.image) : set;
  if (!set) {
    return tl::unexpected(set.error());
  }
  table.generation = generation;
  table.published_unix_ns = now_unix_ns();
  table.crc = shm::table_crc(table);
  return table;
}

}  // namespace

Result<std::uint32_t> ControlFile::index_of_app(const std::string& app) const {
  const std::uint32_t index = shm::find_app(region(), app);
  if (index != shm::kMaxApps) {
    return index;
  }
  std::string known;
  for (const std::string& name : apps()) {
    known += (known.empty() ? "" : ", ") + name;
  }
  return fail(ExitCode::kUsage,
              path_ + ": there is no application \"" + printable(app) + "\"; " +
                  (known.empty() ? "the region has none" : "the region has " + known),
              "add it with `bgctl init --app " + printable(app) + "`");
}

std::vector<std::string> ControlFile::apps() const {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
    if (shm::app_is_live(region().apps[i], i)) {
      names.emplace_back(shm::text_of(region().apps[i].name));
    }
  }
  return names;
}

std::vector<std::string> ControlFile::damage() const {
  std::vector<std::string> found;
  for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
    const shm::AppRecord& record = region().apps[i];
    // Acquire pairs with the release in add_app.
    const std::uint32_t state = record.state.load(std::memory_order_acquire);
    if (state == 0) {
      continue;
    }
    if (!shm::app_is_live(record, i)) {
      found.push_back(path_ + ": application " + std::to_string(i) + ": damaged name: expected " +
                      "state 1 and checksum " + hex(shm::app_name_crc(record.name, i), 8) +
                      ", found state " + std::to_string(state) + " and " + hex(record.name_crc, 8));
      continue;
    }
    if (auto snapshot = read_at(std::string(shm::text_of(record.name)), i); !snapshot) {
      found.push_back(snapshot.error().what);
    }
  }
  return found;
}

Result<shm::AppSnapshot> ControlFile::read_at(const std::string& app, std::uint32_t index) const {
  shm::AppSnapshot snapshot;
  const std::string subject = path_ + ": application " + app + ": ";
  constexpr const char* kHint =
      "NGINX goes on with what it accepted last; bring the file back from a backup, or move it "
      "away and run `bgctl init`";
  switch (shm::read_app(region(), index, snapshot)) {
    case shm::ReadResult::kOk:
      return snapshot;
    case shm::ReadResult::kBadWord:
      return fail(ExitCode::kUsage,
                  subject + bad_word(region().apps[index], region().header.id, index), kHint);
    case shm::ReadResult::kBadTable:
      return fail(ExitCode::kUsage, subject + bad_table(snapshot), kHint);
    case shm::ReadResult::kMoving:
      break;
  }
  return fail(ExitCode::kLocked, subject + "its route changes faster than it can be read",
              "try again");
}

Result<shm::AppSnapshot> ControlFile::read(const std::string& app) {
  const auto index = index_of_app(app);
  return index ? read_at(app, *index) : tl::unexpected(index.error());
}

// The file at the path must be the one that is mapped: a change of a file that somebody replaced
// would be durable, reported, and seen by nobody.
Result<void> ControlFile::still_in_place() const {
  struct stat mapped {};
  struct stat present {};
  if (::fstat(fd_.get(), &mapped) != 0 || ::stat(path_.c_str(), &present) != 0 ||
      mapped.st_ino != present.st_ino || mapped.st_dev != present.st_dev) {
    return fail(ExitCode::kUsage, path_ + ": the file was replaced or removed meanwhile",
                "the control file is changed in place and never replaced; try again");
  }
  return {};
}

Result<void> ControlFile::flush(const void* from, std::size_t size) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(from) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(from) + size;
  // Synchronous: the range's pages, and no more of the file than they need, are on disk afterwards.
  if (::msync(reinterpret_cast<void*>(begin), end - begin, MS_SYNC) != 0) {
    return fail(ExitCode::kUsage,
                path_ + ": cannot be made durable: " + std::generic_category().message(errno));
  }
  return {};
}

Result<bool> ControlFile::add_app(const std::string& app) {
  const auto lock = HostLock::acquire(run_dir_, control_lock_name(id()), path_,
                                      LockHolder{0, "init", {}, {}}, kWriterWait, false);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto same = still_in_place(); !same) {
    return tl::unexpected(same.error());
  }
  if (shm::find_app(region(), app) != shm::kMaxApps) {
    return false;
  }
  const std::uint32_t index = shm::add_app(region(), app);
  if (index == shm::kMaxApps) {
    return shm::is_app_name(app)
               ? fail(ExitCode::kUsage, path_ + ": no room for another application: expected " +
                                            "fewer than " + std::to_string(shm::kMaxApps))
               : fail(ExitCode::kUsage,
                      "\"" + printable(app) + "\" is no application name: expected 1 to 63 " +
                          "letters, digits, '-', '_' or '.', not beginning with '-' or '.'");
  }
  if (auto flushed = flush(&region().apps[index], sizeof(shm::AppRecord)); !flushed) {
    return tl::unexpected(flushed.error());
  }
  return true;
}

template <class Change>
Result<std::uint64_t> ControlFile::change_route(const std::string& app, Change change) {
  const auto lock = HostLock::acquire(run_dir_, control_lock_name(id()), path_,
                                      LockHolder{0, "change", {}, {}}, kWriterWait, false);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto same = still_in_place(); !same) {
    return tl::unexpected(same.error());
  }
  const auto index = index_of_app(app);
  if (!index) {
    return tl::unexpected(index.error());
  }
  const auto now = read_at(app, *index);
  if (!now) {
    return tl::unexpected(now.error());
  }
  shm::AppRecord& record = region().apps[*index];
  RouteState state = state_of(*now);
  if (auto changed = change(*now, record, state); !changed) {
    return tl::unexpected(changed.error());
  }
  if (is_as_stored(*now, state)) {
    return now->generation;
  }
  const std::uint64_t next = now->generation + 1;
  if (state.route.has(shm::kHold)) {
    if (auto ready = prepare_ticket(record.holds[next & 1U], state.hold); !ready) {
      return tl::unexpected(ready.error());
    }
  }
  const shm::Route& route = state.route;
  const std::uint64_t flipped_at = now_unix_ns();
  BLUEGREEN_KILL_POINT("route about to be stored");
  if (!shm::store_route(record, route, id(), *index, next)) {
    return fail(ExitCode::kUsage, path_ + ": application " + app +
                                      ": the change would make an impossible route (weight " +
                                      std::to_string(route.weight) + ", flags " +
                                      hex(route.flags, 2) +
                                      "): nothing was stored, the present route stays");
  }
  BLUEGREEN_KILL_POINT("route stored");
  if (route.active != now->route.active) {
    // Relaxed pairs with read_app: shown to people only.
    record.flipped_unix_ns.store(flipped_at, std::memory_order_relaxed);
  }
  if (auto flushed = flush(&record.state, offsetof(shm::AppRecord, holds)); !flushed) {
    return tl::unexpected(flushed.error());
  }
  BLUEGREEN_KILL_POINT("route durable");
  return next;
}

Result<void> ControlFile::prepare_ticket(shm::HoldTicket& place, const shm::HoldTicket& ticket) {
  shm::HoldTicket present{};
  shm::copy_ticket(place, present);
  // A hold that goes on through two changes finds its ticket there already.
  if (std::memcmp(&present, &ticket, sizeof(ticket)) == 0) {
    return {};
  }
  shm::store_ticket(ticket, place);
  return flush(&place, sizeof(place));
}

Result<std::uint64_t> ControlFile::publish(const std::string& app, Color color,
                                           const Publication& publication) {
  return change_route(
      app,
      [&](const shm::AppSnapshot& now, shm::AppRecord& record, RouteState& state) -> Result<void> {
        const auto table = make_table(publication, now.generation + 1);
        if (!table) {
          return within("publish " + std::string(shm::name_of(color)), table.error());
        }
        shm::Route& route = state.route;
        const std::size_t c = shm::index_of(color);
        const auto other = static_cast<std::uint8_t>(route.table[c] ^ 1U);
        BLUEGREEN_KILL_POINT("table about to be stored");
        shm::store_table(*table, record.tables[c][other]);
        BLUEGREEN_KILL_POINT("table stored");
        // Durable before the word that names it.
        if (auto flushed = flush(&record.tables[c][other], sizeof(shm::EndpointTable)); !flushed) {
          return tl::unexpected(flushed.error());
        }
        route.table[c] = other;
        route.flags = static_cast<std::uint8_t>(route.flags & ~shm::closed_flag(color));
        return {};
      });
}

Result<std::uint64_t> ControlFile::change(const std::string& app, const std::string& /*what*/,
                                          const RouteEdit& edit) {
  return change_route(app, [&](const shm::AppSnapshot&, shm::AppRecord&, RouteState& state) {
    return edit(state);
  });
}

Result<shm::HoldTicket> ControlFile::ticket(std::chrono::milliseconds length) {
  shm::BootId boot{};
  if (!shm::boot_id(boot)) {
    return fail(ExitCode::kUsage, "/proc/sys/kernel/random/boot_id: cannot be read: " +
                                      std::generic_category().message(errno) +
                                      "; without this boot's id nothing can be held");
  }
  const auto ns = std::chrono::nanoseconds(length).count();
  return shm::make_ticket(shm::boottime_ns() + static_cast<std::uint64_t>(ns), boot);
}

std::chrono::nanoseconds ControlFile::left_of(const shm::HoldTicket& ticket) {
  shm::BootId boot{};
  if (!shm::boot_id(boot)) {
    return std::chrono::nanoseconds{0};  // so will NGINX's workers say
  }
  return std::chrono::nanoseconds(shm::ticket_left_ns(ticket, boot, shm::boottime_ns()));
}

}  // namespace bluegreen
