// pidfd_open is called by number: glibc has a wrapper only since 2.36.
#include "controller/process/proc_table.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

std::optional<int> number_of(const std::filesystem::path& path) {
  const std::string name = path.filename();
  int pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end != name.data() + name.size()) {
    return std::nullopt;
  }
  return pid;
}

// Calls `visit(pid)` for every process until it returns false.
template <class Visit>
void for_each_process(Visit visit) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; entry != end && !error;
       entry.increment(error)) {
    const auto pid = number_of(entry->path());
    if (pid && !visit(*pid)) {
      return;
    }
  }
}

// The inode of the socket that listens on the port, from /proc/net/tcp or tcp6; 0 for none.
std::uint64_t listening_inode(const char* file, std::uint16_t port) {
  std::ifstream table(file);
  std::string line;
  std::getline(table, line);  // the headings
  const std::string wanted = fmt::format(":{:04X}", port);
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout;
    std::uint64_t inode = 0;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    if (state == "0A" && local.ends_with(wanted)) {
      return inode;
    }
  }
  return 0;
}

bool holds_socket(int pid, const std::string& link) {
  std::error_code error;
  const std::string folder = fmt::format("/proc/{}/fd", pid);
  for (std::filesystem::directory_iterator entry(folder, error), end; entry != end && !error;
       entry.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry->path(), gone) == link) {
      return true;
    }
  }
  return false;
}

bool port_is_free(std::uint16_t port) {
  const shm::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    return true;  // the application will tell
  }
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
         errno != EADDRINUSE;
}

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  ProcessStat out;
  out.name = text.substr(open + 1, close - open - 1);
  std::istringstream head{std::string(text.substr(0, open))};
  std::istringstream rest{std::string(text.substr(close + 1))};
  int parent = 0;
  int group = 0;
  head >> out.pid;
  rest >> out.state >> parent >> group >> out.session;
  std::string skipped;
  for (int field = 7; field < 22; ++field) {  // the session was field 6, the start is 22
    rest >> skipped;
  }
  rest >> out.start_ticks;
  if (!head || !rest) {
    return std::nullopt;
  }
  return out;
}

std::optional<ProcessStat> stat_of(int pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text || !*text) {
    return std::nullopt;
  }
  return parse_stat(**text);
}

std::vector<ProcessStat> session_members(int session) {
  std::vector<ProcessStat> out;
  for_each_process([&out, session](int pid) {
    if (auto stat = stat_of(pid); stat && stat->session == session && stat->alive()) {
      out.push_back(std::move(*stat));
    }
    return true;
  });
  return out;
}

shm::UniqueFd open_process(const ProcessStat& process) {
  shm::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  // Looked at after opening: if it is still the same one now, the descriptor is that one's.
  const auto now = stat_of(process.pid);
  if (!now || now->start_ticks != process.start_ticks || !now->alive()) {
    return {};
  }
  return fd;
}

std::string boot_id() {
  const auto text = read_file("/proc/sys/kernel/random/boot_id");
  if (!text || !*text) {
    return {};
  }
  return (*text)->substr(0, (*text)->find('\n'));
}

std::string port_holder(std::uint16_t port) {
  if (port_is_free(port)) {
    return {};
  }
  std::uint64_t inode = listening_inode("/proc/net/tcp", port);
  if (inode == 0) {
    inode = listening_inode("/proc/net/tcp6", port);
  }
  std::string holder = "another process";
  const std::string link = fmt::format("socket:[{}]", inode);
  for_each_process([&](int pid) {
    if (inode == 0 || !holds_socket(pid, link)) {
      return inode != 0;
    }
    const auto stat = stat_of(pid);
    holder = fmt::format("{} (pid {})", stat ? stat->name : "a process", pid);
    return false;
  });
  return holder;
}

}  // namespace bluegreen
