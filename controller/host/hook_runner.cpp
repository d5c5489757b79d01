// See hook_runner.hpp.
#include "controller/host/hook_runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "controller/host/child_process.hpp"
#include "controller/host/line_splitter.hpp"
#include "controller/host/log_file.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Between SIGTERM and SIGKILL: an abort has 10 s in all.
constexpr milliseconds kHookGrace{2'000};
constexpr milliseconds kOrphanEnds{5'000};
constexpr milliseconds kOrphanPoll{10};
constexpr std::size_t kHookTail = 20;

Environment clean_environment(const std::vector<std::string>& ours) {
  Environment out = ours;
  const Environment all = child_environment();
  out.push_back(fmt::format("PATH={}", value_in(all, "PATH")));
  for (const char* name : {"HOME", "LANG"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      out.push_back(fmt::format("{}={}", name, value));
    }
  }
  return out;
}

shm::UniqueFd open_lock(const std::string& path) {
  return shm::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
}

bool has_open(const std::filesystem::path& process, const struct stat& file) {
  std::error_code gone;  // it may end while we look
  for (const auto& entry : std::filesystem::directory_iterator(process / "fd", gone)) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) == 0 && status.st_dev == file.st_dev &&
        status.st_ino == file.st_ino) {
      return true;
    }
  }
  return false;
}

// SIGKILL to the group of everybody who has the file open, but not to ours.
void kill_holders(const shm::UniqueFd& fd) {
  struct stat file {};
  std::error_code gone;
  if (::fstat(fd.get(), &file) != 0) {
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size() ||
        !has_open(entry.path(), file)) {
      continue;
    }
    const pid_t group = ::getpgid(pid);
    if (group > 1 && group != ::getpgrp()) {
      ::kill(-group, SIGKILL);
    }
  }
}

Result<shm::UniqueFd> take_lock(const std::string& path) {
  shm::UniqueFd fd = open_lock(path);
  if (!fd) {
    return fail(ExitCode::kPreflight, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  const auto until = steady_clock::now() + kOrphanEnds;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (steady_clock::now() >= until) {
      return fail(
          ExitCode::kPreflight,
          fmt::format("a hook of an earlier bgctl still runs and cannot be ended ({})", path),
          "find it with `fuser " + path + "`");
    }
    kill_holders(fd);
    std::this_thread::sleep_for(kOrphanPoll);  // flock has no waiting with a deadline
  }
  return fd;
}

}  // namespace

Result<void> HookRunner::run(const HookRun& hook) {
  auto lock = take_lock(lock_path_);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  LineSplitter lines(hook.line);
  ChildRequest request;
  request.argv = hook.command;
  request.environment = clean_environment(hook.environment);
  request.timeout = hook.timeout;
  request.grace = kHookGrace;
  request.stdout_limit = 64U << 10;
  request.inherited_fd = lock->get();
  request.one_stream = true;
  request.end_group = true;
  request.on_output = [&lines](std::string_view piece) { lines.feed(piece); };
  if (hook.stoppable) {
    request.stop_when = stop_asked_;
  }
  const auto exit = run_child(request);
  lines.end();
  if (!exit) {
    return fail(ExitCode::kGate, exit.error());
  }
  if (exit->ok()) {
    return {};
  }
  Error error{exit->stopped ? ExitCode::kAborted : ExitCode::kGate,
              exit->stopped ? "stopped on request"
                            : fmt::format("{} {}{}", hook.command.front(), describe(*exit),
                                          exit->timed_out ? " and was killed" : ""),
              {},
              text_tail(exit->out, kHookTail)};
  return tl::unexpected(std::move(error));
}

Result<void> HookRunner::end_orphan() {
  if (::access(lock_path_.c_str(), F_OK) != 0) {
    return {};
  }
  const auto lock = take_lock(lock_path_);
  return lock ? Result<void>{} : tl::unexpected(lock.error());
}

}  // namespace bluegreen
