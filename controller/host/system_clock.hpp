// The kernel's clocks, and SIGTERM, SIGINT and SIGHUP as the request to stop.
//
// One object a process, made at the start of a deploy process; while it lives these signals write
// to a pipe instead of ending the process, which is what `wait` sleeps on. Handlers, not a blocked
// mask: a child that is started meanwhile inherits nothing of it.
#pragma once

#include <cstdint>

#include "controller/ports/clock.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {

class SystemClock : public Clock {
 public:
  SystemClock();
  ~SystemClock() override;
  SystemClock(const SystemClock&) = delete;
  SystemClock& operator=(const SystemClock&) = delete;

  std::chrono::steady_clock::time_point now() override;
  std::chrono::system_clock::time_point wall() override;
  BootTime boot() override;
  bool wait(std::chrono::milliseconds duration) override;
  // The same, ended by `fd` too when it gets readable (-1: none).
  enum class Wake : std::uint8_t { kTime, kStop, kEvent };
  Wake wait_for(std::chrono::milliseconds duration, int fd);
  void pause(std::chrono::milliseconds duration) override;
  bool stop_requested() override;

 private:
  shm::UniqueFd asked_;  // readable once a stop is requested
  shm::UniqueFd ask_;    // written by the signal handler
};

}  // namespace bluegreen
