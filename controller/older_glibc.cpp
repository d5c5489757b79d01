// What the static libstdc++ of the build host wants from its newer glibc, done with what glibc
// 2.34 has. Linked into bgctl itself, so that these are found before glibc's own.
//
// Called by std::random_device at most; any thread; cannot fail (ends the process when the kernel
// has no randomness, which it always has after boot).
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

extern "C" std::uint32_t arc4random() noexcept {
  std::uint32_t value = 0;
  while (::getrandom(&value, sizeof(value), 0) != static_cast<ssize_t>(sizeof(value))) {
    if (errno != EINTR) {
      std::abort();
    }
  }
  return value;
}
