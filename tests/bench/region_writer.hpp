// A control region as a benchmark's writer holds it: opened by its path, mapped for writing, and
// the route of an application stored without a flush. One process, one thread, no lock: nobody else
// may write the file meanwhile. Every failure is a line on stderr and exit 1.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "shm/clock.hpp"
#include "shm/control_region.hpp"
#include "shm/mapping.hpp"

namespace bluegreen::bench {

[[noreturn]] inline void fail(const std::string& why) {
  std::cerr << "bench: " << why << '\n';
  std::exit(1);
}

// The clock of the load generator's record, and of every stamp here.
inline std::uint64_t now_ns() {
  return shm::clock_ns(CLOCK_MONOTONIC);
}

// Maps the whole region; `flags` as for open_region.
inline shm::ControlRegion& map_region(const std::string& path, int flags, int protection,
                                      shm::Mapping& mapping) {
  shm::UniqueFd fd;
  const shm::OpenError error = shm::open_region(path.c_str(), flags, shm::kControlKind, fd);
  if (error.result != shm::OpenResult::kOk) {
    char text[256];
    fail(path + ": " + shm::describe(error, shm::kControlKind, text, sizeof(text)));
  }
  if (!mapping.map(fd.get(), sizeof(shm::ControlRegion), protection)) {
    fail(path + ": cannot be mapped");
  }
  return *static_cast<shm::ControlRegion*>(mapping.data());
}

inline shm::Route route_of(const shm::ControlRegion& region, std::uint32_t index) {
  // Relaxed: the only writer reads what it wrote itself.
  return shm::unpack_route(region.apps[index].word.load(std::memory_order_relaxed));
}

inline std::uint64_t generation_of(const shm::ControlRegion& region, std::uint32_t index) {
  // Relaxed: the only writer reads what it wrote itself.
  return region.apps[index].generation.load(std::memory_order_relaxed);
}

// What `bgctl switch` stores, without its flush: weight 0, the color open, everything else as it
// was.
inline void flip(shm::ControlRegion& region, std::uint32_t index, shm::Color color) {
  shm::Route route = route_of(region, index);
  route.active = color;
  route.weight = 0;
  route.flags = static_cast<std::uint8_t>(route.flags & ~shm::closed_flag(color));
  if (!shm::store_route(region.apps[index], route, region.header.id, index,
                        generation_of(region, index) + 1)) {
    fail("the route of application " + std::to_string(index) + " is not sound");
  }
}

}  // namespace bluegreen::bench
