// Writes a control region for tests of the module, through the headers that bgctl uses. No lock, no
// flush: one test, one writer. bgctl is the tool for everything else.
//
//   route_tool init FILE APP                                   makes the file, adds the application
//   route_tool publish FILE APP COLOR RELEASE [ADDRESS[@WEIGHT][#IDENTITY] ...]
//   route_tool switch FILE APP COLOR | close FILE APP COLOR
//   route_tool weight FILE APP BASIS_POINTS                    of the color that is not active
//   route_tool flags FILE APP [+|-]fallback|maintenance ...
//   route_tool hold FILE APP SECONDS [boot|crc]                with another boot's or a damaged
//   ticket route_tool release FILE APP route_tool storm FILE APP SECONDS flips without pause;
//   prints how often
//
// Exit 0, or 1 with a line on stderr.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "shm/clock.hpp"
#include "shm/control_region.hpp"

namespace {

using namespace bluegreen::shm;

int fail(const std::string& why) {
  std::cerr << "route_tool: " << why << '\n';
  return 1;
}

int create(const std::string& path) {
  auto image = std::make_unique<std::vector<char>>(sizeof(ControlRegion), '\0');
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ns =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  const RegionHeader header = make_header(kControlKind, mix64(ns) | 1U, ns);
  std::memcpy(image->data(), &header, sizeof(header));
  const int error = create_region_file(path.c_str(), image->data(), image->size(), RegionOwner{});
  return error == EEXIST ? 0 : error;
}

bool parse(std::string text, Endpoint& out) {
  std::uint64_t identity = 1;
  std::uint32_t weight = 1;
  if (const auto hash = text.find('#'); hash != std::string::npos) {
    identity = std::stoull(text.substr(hash + 1));
    text.resize(hash);
  }
  if (const auto at = text.find('@'); at != std::string::npos) {
    weight = static_cast<std::uint32_t>(std::stoul(text.substr(at + 1)));
    text.resize(at);
  }
  if (!parse_endpoint(text, out)) {
    return false;
  }
  out.identity = identity;
  out.weight = weight;
  return true;
}

void store(ControlRegion& region, std::uint32_t index, Route route) {
  AppRecord& app = region.apps[index];
  // Relaxed: the only writer reads what it wrote itself.
  const std::uint64_t generation = app.generation.load(std::memory_order_relaxed) + 1;
  // A hold that goes on keeps its ticket.
  if (route.has(kHold) && unpack_route(app.word.load(std::memory_order_relaxed)).has(kHold)) {
    HoldTicket ticket;
    copy_ticket(app.holds[(generation - 1) & 1U], ticket);
    store_ticket(ticket, app.holds[generation & 1U]);
  }
  store_route(app, route, region.header.id, index, generation);
}

Route route_of(const ControlRegion& region, std::uint32_t index) {
  // Relaxed: the only writer reads what it wrote itself.
  return unpack_route(region.apps[index].word.load(std::memory_order_relaxed));
}

Route flipped(Route route, Color color) {
  route.active = color;
  route.weight = 0;
  route.flags = static_cast<std::uint8_t>(route.flags & ~closed_flag(color));
  return route;
}

int publish(ControlRegion& region, std::uint32_t index, Color color, const std::string& release,
            const std::vector<std::string>& addresses) {
  Route route = route_of(region, index);
  EndpointTable table{};
  // Relaxed: the only writer reads what it wrote itself.
  table.generation = region.apps[index].generation.load(std::memory_order_relaxed) + 1;
  table.published_unix_ns = 1767225600000000000U;  // 2026-01-01, so that a document can be compared
  set_text(table.release, release);
  for (const std::string& address : addresses) {
    if (table.count == kMaxEndpoints || !parse(address, table.endpoints[table.count++])) {
      return fail("bad endpoint " + address);
    }
  }
  table.crc = table_crc(table);
  route.table[index_of(color)] ^= 1U;
  store_table(table, region.apps[index].tables[index_of(color)][route.table[index_of(color)]]);
  route.flags = static_cast<std::uint8_t>(route.flags & ~closed_flag(color));
  store(region, index, route);
  return 0;
}

int set_flags(ControlRegion& region, std::uint32_t index, const std::vector<std::string>& changes) {
  Route route = route_of(region, index);
  for (const std::string& change : changes) {
    const std::string name = change.substr(1);
    const unsigned flag = name == "fallback"      ? 0U + kFallback
                          : name == "maintenance" ? 0U + kMaintenance
                                                  : 0U;
    if (flag == 0 || (change[0] != '+' && change[0] != '-')) {
      return fail("bad flag " + change);
    }
    route.flags =
        static_cast<std::uint8_t>(change[0] == '+' ? route.flags | flag : route.flags & ~flag);
  }
  store(region, index, route);
  return 0;
}

int hold(ControlRegion& region, std::uint32_t index, double seconds, const std::string& fault) {
  AppRecord& app = region.apps[index];
  BootId boot{};
  if (!boot_id(boot)) {
    return fail("no boot id");
  }
  boot.bytes[0] = static_cast<std::uint8_t>(boot.bytes[0] ^ (fault == "boot" ? 1U : 0U));
  HoldTicket ticket = make_ticket(boottime_ns() + static_cast<std::uint64_t>(seconds * 1e9), boot);
  ticket.crc ^= fault == "crc" ? 1U : 0U;
  // Relaxed: the only writer reads what it wrote itself.
  const std::uint64_t generation = app.generation.load(std::memory_order_relaxed) + 1;
  store_ticket(ticket, app.holds[generation & 1U]);
  Route route = route_of(region, index);
  route.flags = static_cast<std::uint8_t>(route.flags | kHold);
  store_route(app, route, region.header.id, index, generation);
  return 0;
}

int release(ControlRegion& region, std::uint32_t index) {
  Route route = route_of(region, index);
  route.flags = static_cast<std::uint8_t>(route.flags & ~kHold);
  store(region, index, route);
  return 0;
}

int storm(ControlRegion& region, std::uint32_t index, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::uint64_t flips = 0;
  while (std::chrono::steady_clock::now() < end) {
    Route route = route_of(region, index);
    const Color old = route.active;
    route = flipped(route, other(old));
    store(region, index, route);
    route.flags = static_cast<std::uint8_t>(route.flags | closed_flag(old));
    store(region, index, route);
    ++flips;
  }
  std::cout << flips << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 3) {
    return fail("usage: init|publish|switch|close|weight|flags|hold|release|storm FILE APP ...");
  }
  if (args[0] == "init" && create(args[1]) != 0) {
    return fail("cannot create " + args[1]);
  }
  UniqueFd fd;
  if (open_region(args[1].c_str(), O_RDWR, kControlKind, fd).result != OpenResult::kOk) {
    return fail("no control region: " + args[1]);
  }
  Mapping mapping;
  if (!mapping.map(fd.get(), sizeof(ControlRegion), PROT_READ | PROT_WRITE)) {
    return fail("mmap");
  }
  auto& region = *static_cast<ControlRegion*>(mapping.data());
  const std::uint32_t index =
      args[0] == "init" ? add_app(region, args[2]) : find_app(region, args[2]);
  if (index == kMaxApps) {
    return fail("no application " + args[2]);
  }
  if (args[0] == "init") {
    return 0;
  }
  if (args[0] == "release") {
    return release(region, index);
  }
  if (args.size() < 4) {
    return fail("too few arguments");
  }
  if (args[0] == "hold") {
    return hold(region, index, std::strtod(args[3].c_str(), nullptr),
                args.size() > 4 ? args[4] : "");
  }
  if (args[0] == "storm") {
    return storm(region, index, std::strtod(args[3].c_str(), nullptr));
  }
  if (args[0] == "flags") {
    return set_flags(region, index, {args.begin() + 3, args.end()});
  }
  if (args[0] == "weight") {
    Route route = route_of(region, index);
    route.weight = static_cast<std::uint16_t>(std::stoul(args[3]));
    if (!route_is_sound(route)) {
      return fail("bad weight " + args[3]);
    }
    store(region, index, route);
    return 0;
  }
  const Color color = args[3] == "green" ? Color::kGreen : Color::kBlue;
  if (args[0] == "publish" && args.size() >= 5) {
    return publish(region, index, color, args[4], {args.begin() + 5, args.end()});
  }
  Route route = route_of(region, index);
  if (args[0] == "switch") {
    store(region, index, flipped(route, color));
    // Relaxed pairs with readers that show it to people.
    region.apps[index].flipped_unix_ns.store(clock_ns(CLOCK_REALTIME), std::memory_order_relaxed);
    return 0;
  }
  if (args[0] == "close" && route.active != color) {
    route.flags = static_cast<std::uint8_t>(route.flags | closed_flag(color));
    store(region, index, route);
    return 0;
  }
  return fail("cannot " + args[0] + " " + args[3]);
}
