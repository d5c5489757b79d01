// What bgctl remembers about the program that runs a color: <run_dir>/process/<app>-<color>.json.
//
// Written before the program begins (session_supervisor.cpp says how), so that a bgctl that comes
// after a kill -9 knows every program that was started. A process number alone is no identity: the
// record also has the kernel's start time and the boot's id, and counts only while all three
// agree. Format: a JSON object, the members below, `schema` 1. One thread, under the application's
// lock.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace bluegreen {

struct ProcessRecord {
  int pid = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  std::string boot_id;
  std::int64_t started_unix_ms = 0;
  std::string image;
  std::vector<std::string> argv;
};

std::string to_text(const ProcessRecord& record);
tl::expected<ProcessRecord, std::string> parse_record(const std::string& text);

// For shm::Endpoint: another number for each start, never 0.
std::uint64_t identity_of(const ProcessRecord& record);

}  // namespace bluegreen
