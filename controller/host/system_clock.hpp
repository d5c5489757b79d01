// The kernel's clocks, and the requests to stop: SIGTERM, SIGINT and SIGHUP, and what `heed` names.
//
// One object a process, made at the start of a deploy process; while it lives these signals write
// to a pipe instead of ending the process, which is what `wait` sleeps on. Handlers, not a blocked
// mask: a child that is started meanwhile inherits nothing of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

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
  std::string stop_reason() override { return reason_; }

  // One more way to be asked: `asked` gives the reason, or an empty text. Called whenever somebody
  // wants to know, at least every kLookAnyway in a wait, and when `fd` gets readable (-1: never),
  // which it has to make unreadable again. Takes the place of who was named before, and of what
  // that one has asked for.
  void heed(int fd, std::function<std::string()> asked);
  static constexpr std::chrono::milliseconds kLookAnyway{1'000};

 private:
  bool is_asked();

  std::function<std::string()> others_;
  int others_fd_ = -1;
  bool stopped_ = false;
  std::string reason_ = "stopped on request";
  shm::UniqueFd asked_;  // readable once a stop is requested
  shm::UniqueFd ask_;    // written by the signal handler
};

}  // namespace bluegreen
