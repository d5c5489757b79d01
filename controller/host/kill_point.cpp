// See kill_point.hpp. Compiled into bgctl-killable alone.
#include "controller/host/kill_point.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>

#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

struct Orders {
  std::string command;  // this process's, its first argument
  std::string log;      // empty: none
  long kill_at = 0;     // 0: never
  int signal = SIGKILL;
};

Orders read_orders() {
  Orders orders;
  const auto words = read_file("/proc/self/cmdline");
  const std::string text = words && *words ? **words : std::string();
  const std::size_t first = text.find('\0');
  const std::size_t second = text.find('\0', first + 1);
  if (first != std::string::npos && second != std::string::npos) {
    orders.command = text.substr(first + 1, second - first - 1);
  }
  const char* log = std::getenv("BLUEGREEN_KILL_LOG");
  orders.log = log == nullptr ? "" : log;
  const char* at = std::getenv("BLUEGREEN_KILL_AT");
  std::istringstream wanted(at == nullptr ? "" : at);
  std::string command;
  std::string signal;
  long number = 0;
  wanted >> command >> number >> signal;
  orders.kill_at = command == orders.command ? number : 0;
  orders.signal = signal == "TERM" ? SIGTERM : SIGKILL;
  return orders;
}

void note(const Orders& orders, long number, const char* name) {
  const int fd = ::open(orders.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string line = orders.command + "\t" + std::to_string(number) + "\t" + name + "\n";
  [[maybe_unused]] const ssize_t size = ::write(fd, line.data(), line.size());
  ::close(fd);
}

}  // namespace

void kill_point(const char* name) {
  static const Orders orders = read_orders();
  static long met = 0;
  ++met;
  if (!orders.log.empty()) {
    note(orders, met, name);
  }
  if (met == orders.kill_at) {
    ::kill(::getpid(), orders.signal);
  }
}

}  // namespace bluegreen
