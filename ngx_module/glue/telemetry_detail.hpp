// The second part of the telemetry file (shm/telemetry_detail.hpp), as NGINX makes and uses it.
//
// Master, in TelemetryWriter::prepare: prepare_detail() puts the part behind a file that has none,
// and grows it with the names. Worker, in TelemetryWriter::attach: own_range() gets the pages of
// its own figures before it writes there: a page that a full disk cannot give would be a SIGBUS.
//
// One thread; errors are errnos. Without this part everything works but its figures.
#pragma once

#include <cstdint>

#include "shm/telemetry_detail.hpp"

namespace bluegreen::glue {

// Extends the file to hold `apps` AppDetail. An unknown version of this part is left alone.
int prepare_detail(int fd, std::uint64_t region_id, std::uint32_t apps) noexcept;

// How many AppDetail a mapping of `size` bytes of the file has; 0 without this part.
std::uint32_t mapped_apps(const shm::TelemetryRegion* region, std::uint64_t size) noexcept;

// Storage for one SlotDetail. 0 or an errno.
int own_range(int fd, std::uint32_t app, std::uint32_t slot) noexcept;

// Adds all figures of `from` to `to`, and sets them to 0 there. Both are this thread's own.
void carry_detail(shm::ColorDetail& to, shm::ColorDetail& from) noexcept;

}  // namespace bluegreen::glue
