// See system_clock.hpp.
#include "controller/host/system_clock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <string_view>

#include "shm/hold_ticket.hpp"

namespace bluegreen {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP};

// What the handler writes to. Set before the handlers are, reset after they are taken away.
volatile std::sig_atomic_t g_ask = -1;

void ask_to_stop(int) {
  const int error = errno;
  [[maybe_unused]] const ssize_t size = ::write(g_ask, "!", 1);
  errno = error;
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (const int number : kSignals) {
    ::sigaction(number, &action, nullptr);
  }
}

constexpr int kLongestPoll = 60'000;

int poll_time(std::chrono::steady_clock::duration left) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<long long>(ms, 0, kLongestPoll));
}

}  // namespace

SystemClock::SystemClock() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    asked_ = shm::UniqueFd(ends[0]);
    ask_ = shm::UniqueFd(ends[1]);
    g_ask = ends[1];
    handle(ask_to_stop);
  }
}

SystemClock::~SystemClock() {
  if (ask_) {
    handle(SIG_DFL);
    g_ask = -1;
  }
}

std::chrono::steady_clock::time_point SystemClock::now() {
  return std::chrono::steady_clock::now();
}

std::chrono::system_clock::time_point SystemClock::wall() {
  return std::chrono::system_clock::now();
}

BootTime SystemClock::boot() {
  BootTime now;
  now.since = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::nanoseconds(shm::boottime_ns()));
  shm::BootId id{};
  if (shm::boot_id(id)) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const std::uint8_t byte : id.bytes) {
      now.boot += kHex[byte >> 4U];
      now.boot += kHex[byte & 15U];
    }
  }
  return now;
}

bool SystemClock::wait(std::chrono::milliseconds duration) {
  return wait_for(duration, -1) == Wake::kTime;
}

SystemClock::Wake SystemClock::wait_for(std::chrono::milliseconds duration, int fd) {
  const auto end = now() + duration;
  for (;;) {
    if (is_asked()) {
      return Wake::kStop;
    }
    const auto left = end - now();
    std::array<struct pollfd, 3> all{
        {{asked_.get(), POLLIN, 0}, {fd, POLLIN, 0}, {others_fd_, POLLIN, 0}}};
    const int longest = others_ ? static_cast<int>(kLookAnyway.count()) : kLongestPoll;
    const int ready = ::poll(all.data(), all.size(), std::min(poll_time(left), longest));
    if (ready > 0 && all[0].revents != 0) {
      return Wake::kStop;
    }
    if (ready > 0 && all[1].revents != 0) {
      return Wake::kEvent;
    }
    if (left.count() <= 0) {
      return is_asked() ? Wake::kStop : Wake::kTime;
    }
  }
}

void SystemClock::pause(std::chrono::milliseconds duration) {
  const auto end = now() + duration;
  for (auto left = end - now(); left.count() > 0; left = end - now()) {
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec span{static_cast<time_t>(ns / 1'000'000'000), ns % 1'000'000'000};
    ::nanosleep(&span, nullptr);
  }
}

bool SystemClock::stop_requested() {
  struct pollfd asked {
    asked_.get(), POLLIN, 0
  };
  return ::poll(&asked, 1, 0) > 0 || is_asked();
}

void SystemClock::heed(int fd, std::function<std::string()> asked) {
  others_fd_ = fd;
  others_ = std::move(asked);
  stopped_ = false;
}

bool SystemClock::is_asked() {
  if (!stopped_ && others_) {
    const std::string why = others_();
    if (!why.empty()) {
      stopped_ = true;
      reason_ = why;
    }
  }
  return stopped_;
}

}  // namespace bluegreen
