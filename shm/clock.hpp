// A clock of the kernel as one number of nanoseconds. Any process, any thread; cannot fail for the
// clocks that Linux has.
#pragma once

#include <cstdint>
#include <ctime>

namespace bluegreen::shm {

inline std::uint64_t clock_ns(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace bluegreen::shm
