// See lock.hpp.
#include "controller/host/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "controller/host/kill_point.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kBetweenTries{2};
// Even who does not wait tries this long: is_locked, elsewhere, holds the lock for an instant.
constexpr milliseconds kLeastWait{20};
// Housekeeping is a stop with its grace, or the removal of some images.
constexpr milliseconds kHousekeepingWait{20'000};
// A holder takes its file away first and frees the lock a moment later; one that has just got the
// lock needs a moment to say who it is. On a busy machine a moment is long.
constexpr milliseconds kNamelessWait{2'000};
// A holder that has just got the lock needs a moment to say who it is.
constexpr int kHolderReads = 10;

std::string hex(std::uint64_t id) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(id));
  return text.data();
}

std::string lock_path(const std::string& run_dir, const std::string& name) {
  return run_dir + "/" + name + ".lock";
}

std::string holder_path(const std::string& run_dir, const std::string& name) {
  return run_dir + "/" + name + ".holder";
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

void pause(milliseconds time) {
  const timespec span = {time.count() / 1000, (time.count() % 1000) * 1'000'000};
  ::nanosleep(&span, nullptr);
}

// Information only, so a failure to write it is no failure of the lock. Renamed into place: a
// reader sees a whole one or none. False, and none is left, when it cannot be written.
bool write_holder(const std::string& path, const LockHolder& holder) {
  const std::string text = nlohmann::json({{"pid", ::getpid()},
                                           {"command", holder.command},
                                           {"id", holder.id},
                                           {"since", utc_time(std::chrono::system_clock::now())}})
                               .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                           "\n";
  const std::string temporary = path + "." + std::to_string(::getpid());
  shm::UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd && ::write(fd.get(), text.data(), text.size()) == std::ssize(text) &&
      ::rename(temporary.c_str(), path.c_str()) == 0) {
    return true;
  }
  ::unlink(temporary.c_str());
  ::unlink(path.c_str());
  return false;
}

// As the file says, whether its writer lives or not.
std::optional<LockHolder> read_holder(const std::string& run_dir, const std::string& name) {
  shm::UniqueFd fd(
      ::open(holder_path(run_dir, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) {
    return std::nullopt;
  }
  std::array<char, 4096> text{};
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got <= 0) {
    return std::nullopt;
  }
  const auto document = nlohmann::json::parse(text.data(), text.data() + got, nullptr, false);
  if (!document.is_object()) {
    return std::nullopt;
  }
  const auto word = [&document](const char* key) {
    const auto found = document.find(key);
    return found != document.end() && found->is_string() ? found->get<std::string>()
                                                         : std::string();
  };
  LockHolder holder;
  const auto pid = document.find("pid");
  holder.pid = pid != document.end() && pid->is_number_integer() ? pid->get<long>() : 0;
  holder.command = word("command");
  holder.id = word("id");
  holder.since = word("since");
  return holder;
}

std::string describe_holder(const LockHolder& holder) {
  std::string text = "bgctl " + (holder.command.empty() ? "?" : printable(holder.command));
  if (!holder.id.empty()) {
    text += " " + printable(holder.id);
  }
  text += ", process " + std::to_string(holder.pid);
  if (!holder.since.empty()) {
    text += ", since " + printable(holder.since);
  }
  return text;
}

Error locked(const std::string& run_dir, const std::string& name, const std::string& what) {
  std::optional<LockHolder> holder;
  for (int i = 0; i < kHolderReads && !holder; ++i) {
    holder = lock_holder(run_dir, name);
    if (!holder) {
      pause(kBetweenTries);
    }
  }
  return Error{ExitCode::kLocked,
               what + " is locked by " +
                   (holder ? describe_holder(*holder)
                           : "another process (" + lock_path(run_dir, name) + ")"),
               "wait for it to end; the lock is freed by itself when its holder ends"};
}

}  // namespace

bool is_housekeeping(const LockHolder& holder) {
  return holder.command == kKeepOldWork || holder.command == kPruneWork ||
         holder.command == kOnFailureWork;
}

std::string control_lock_name(std::uint64_t control_id) {
  return "control-" + hex(control_id);
}

std::string app_lock_name(std::uint64_t control_id, const std::string& app) {
  return "app-" + hex(control_id) + "-" + app;
}

Result<void> make_run_dir(const std::string& run_dir) {
  struct stat status {};
  if (::mkdir(run_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    const int error = errno;
    return fail(ExitCode::kUsage,
                run_dir + ": the folder for locks cannot be made: " + reason(error),
                error == EACCES ? "run bgctl as root, or set BGCTL_RUN_DIR" : "");
  }
  if (::stat(run_dir.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ExitCode::kUsage, run_dir + ": expected a folder for locks, found something else");
  }
  return {};
}

Result<HostLock> HostLock::acquire(const std::string& run_dir, const std::string& name,
                                   const std::string& what, const LockHolder& holder,
                                   milliseconds wait, bool recorded) {
  if (auto made = make_run_dir(run_dir); !made) {
    return tl::unexpected(made.error());
  }
  const std::string path = lock_path(run_dir, name);
  HostLock lock;
  lock.fd_ = shm::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.fd_) {
    const int error = errno;
    return fail(ExitCode::kUsage, path + ": the lock file cannot be opened: " + reason(error),
                error == EACCES ? "run bgctl as root, or set BGCTL_RUN_DIR" : "");
  }
  const auto begin = steady_clock::now();
  const auto deadline = begin + std::max(wait, kLeastWait);
  while (::flock(lock.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail(ExitCode::kUsage, path + ": cannot be locked: " + reason(errno));
    }
    const auto now = steady_clock::now();
    if (now >= deadline) {
      const auto present = lock_holder(run_dir, name);
      const bool passes = !present || is_housekeeping(*present);
      const milliseconds longest = present ? kHousekeepingWait : kNamelessWait;
      if (!passes || now >= begin + std::max(wait, longest)) {
        return tl::unexpected(locked(run_dir, name, what));
      }
    }
    pause(kBetweenTries);
  }
  BLUEGREEN_KILL_POINT("lock taken");
  if (recorded) {
    if (const auto left = read_holder(run_dir, name)) {
      lock.interrupted_ = left->command;
    }
    lock.holder_file_ = holder_path(run_dir, name);
    lock.holder_ = holder;
    lock.record();
    BLUEGREEN_KILL_POINT("lock recorded");
  }
  return lock;
}

void HostLock::now_for(const std::string& command, const std::string& id) {
  holder_.command = command;
  holder_.id = id;
  record();
}

void HostLock::settled() {
  if (!interrupted_.empty()) {
    interrupted_.clear();
    record();
  }
}

void HostLock::record() {
  if (!holder_file_.empty() && interrupted_.empty()) {
    written_ = write_holder(holder_file_, holder_);
  }
}

HostLock::HostLock(HostLock&& from) noexcept
    : fd_(std::move(from.fd_)),
      holder_file_(std::exchange(from.holder_file_, {})),
      written_(std::exchange(from.written_, false)),
      holder_(std::move(from.holder_)),
      interrupted_(std::move(from.interrupted_)) {}

HostLock& HostLock::operator=(HostLock&& from) noexcept {
  if (this != &from) {
    release();
    fd_ = std::move(from.fd_);
    holder_file_ = std::exchange(from.holder_file_, {});
    written_ = std::exchange(from.written_, false);
    holder_ = std::move(from.holder_);
    interrupted_ = std::move(from.interrupted_);
  }
  return *this;
}

HostLock::~HostLock() {
  release();
}

void HostLock::release() noexcept {
  // The file first, while the lock is still ours: later it could be the next holder's.
  if (std::exchange(written_, false)) {
    ::unlink(holder_file_.c_str());
  }
  fd_.reset();
}

std::optional<LockHolder> lock_holder(const std::string& run_dir, const std::string& name) {
  auto holder = read_holder(run_dir, name);
  // Left by a holder that was killed: what it says is about nobody who lives.
  if (holder &&
      (holder->pid <= 0 || (::kill(static_cast<pid_t>(holder->pid), 0) != 0 && errno == ESRCH))) {
    return std::nullopt;
  }
  return holder;
}

bool is_locked(const std::string& run_dir, const std::string& name) {
  shm::UniqueFd fd(::open(lock_path(run_dir, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  // A shared lock, so that two who ask do not see each other; held for a moment only.
  return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace bluegreen
