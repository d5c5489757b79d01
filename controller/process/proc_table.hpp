// What /proc says about processes and listening ports. Reads only; any thread; what cannot be read
// is as if it were not there, since a process may end between two reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/unique_fd.hpp"

namespace bluegreen {

struct ProcessStat {
  int pid = 0;
  std::string name;
  char state = '?';
  int session = 0;
  std::uint64_t start_ticks = 0;

  // A zombie has ended; only its parent has not asked yet.
  [[nodiscard]] bool alive() const { return state != 'Z' && state != 'X'; }
};

// The text of /proc/PID/stat; the name in it may hold spaces and parentheses.
std::optional<ProcessStat> parse_stat(std::string_view text);

std::optional<ProcessStat> stat_of(int pid);

// All processes alive in a session.
std::vector<ProcessStat> session_members(int session);

// A descriptor that gets readable when exactly this process ends; empty when it is gone already.
shm::UniqueFd open_process(const ProcessStat& process);

std::string boot_id();

// Who listens on a TCP port of 127.0.0.1 (or of all addresses): "python3 (pid 4711)", or "another
// process" when that cannot be found out. Empty when nobody does.
std::string port_holder(std::uint16_t port);

}  // namespace bluegreen
