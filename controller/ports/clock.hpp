// Time, and being asked to stop: what a deploy waits with.
//
// Implementations: controller/host/system_clock (the kernel's, with SIGTERM and SIGINT as the
// request to stop), controller/ports/fake_world (tests, where waiting costs nothing).
// One thread; nothing here fails.
#pragma once

#include <chrono>
#include <string>

namespace bluegreen {

// A moment that another process of this machine can tell too, and that no clock that is set moves:
// the time since boot, suspended or not, and which boot that was.
struct BootTime {
  std::string boot;  // empty: not known
  std::chrono::milliseconds since{0};
};

class Clock {
 public:
  virtual ~Clock() = default;

  virtual std::chrono::steady_clock::time_point now() = 0;
  virtual std::chrono::system_clock::time_point wall() = 0;
  virtual BootTime boot() = 0;

  // True when the time is up; false as soon as a stop is requested, at once when it was before.
  virtual bool wait(std::chrono::milliseconds duration) = 0;
  // The same for work that has to be ended properly: a request to stop is left for later.
  virtual void pause(std::chrono::milliseconds duration) = 0;
  virtual bool stop_requested() = 0;
  // Who asked, once somebody has: "aborted by uid 0".
  virtual std::string stop_reason() { return "stopped on request"; }
};

}  // namespace bluegreen
