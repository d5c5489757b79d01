// See region_guard.hpp. The table is written by the worker's one thread and read by the handler in
// that thread; `base` is stored last and cleared first.
#include "ngx_module/glue/region_guard.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>

namespace bluegreen::glue {

namespace {

// One control and one telemetry mapping, twice while one is exchanged, and the same again for a
// single process that has two cycles alive.
constexpr std::size_t kMaxRanges = 8;

struct Range {
  std::atomic<std::uintptr_t> base;
  std::size_t size;
  volatile std::sig_atomic_t* lost;
};

Range g_ranges[kMaxRanges];
struct sigaction g_previous;
bool g_installed = false;

extern "C" void ngx_http_bluegreen_sigbus(int signal, siginfo_t* info, void* context) {
  const auto fault = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Range& range : g_ranges) {
    // Relaxed: same thread, pairs with the stores of guard_region and forget_region.
    const std::uintptr_t base = range.base.load(std::memory_order_relaxed);
    if (base == 0 || fault < base || fault - base >= range.size) {
      continue;
    }
    void* const got = ::mmap(reinterpret_cast<void*>(base), range.size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (got != MAP_FAILED) {
      *range.lost = 1;
      return;
    }
  }
  if ((g_previous.sa_flags & SA_SIGINFO) != 0 && g_previous.sa_sigaction != nullptr) {
    g_previous.sa_sigaction(signal, info, context);
  } else if (g_previous.sa_handler != SIG_DFL && g_previous.sa_handler != SIG_IGN) {
    g_previous.sa_handler(signal);
  } else {
    ::sigaction(SIGBUS, &g_previous, nullptr);  // the faulting instruction runs again, and kills
  }
}

}  // namespace

bool install_region_guard() noexcept {
  if (g_installed) {
    return true;
  }
  struct sigaction action {};
  action.sa_sigaction = ngx_http_bluegreen_sigbus;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  g_installed = ::sigaction(SIGBUS, &action, &g_previous) == 0;
  return g_installed;
}

bool guard_region(void* base, std::size_t size, volatile std::sig_atomic_t* lost) noexcept {
  for (Range& range : g_ranges) {
    // Relaxed: same thread, pairs with the handler's load.
    if (range.base.load(std::memory_order_relaxed) == 0) {
      range.size = size;
      range.lost = lost;
      std::atomic_signal_fence(
          std::memory_order_release);  // pairs with a handler between the lines
      // Relaxed, ordered by the fence above; pairs with the handler's load.
      range.base.store(reinterpret_cast<std::uintptr_t>(base), std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

void forget_region(const void* base) noexcept {
  for (Range& range : g_ranges) {
    // Relaxed in both: same thread, pairs with the handler's load.
    if (range.base.load(std::memory_order_relaxed) == reinterpret_cast<std::uintptr_t>(base)) {
      range.base.store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace bluegreen::glue
