// posix_spawn starts the program; Boost.Asio waits for four things at once: both pipes, the pidfd
// and the deadline. pidfd_open is called by number: glibc has a wrapper only since 2.36.
#include "controller/host/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

extern char** environ;

namespace bluegreen {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How long output may still come once the program has ended: a grandchild that inherited the pipe
// would otherwise keep us for ever.
constexpr milliseconds kOutputAfterExit{500};

// The attributes and file actions of one posix_spawn, freed however it ends.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_init(&actions_);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void fill(const ChildRequest& request, int out, int err) {
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, out, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, err, 2);
    int first_closed = 3;
    if (request.inherited_fd >= 0) {
      // dup2 onto itself clears close-on-exec in file actions, so this is right for 3, too.
      ::posix_spawn_file_actions_adddup2(&actions_, request.inherited_fd, 3);
      first_closed = 4;
    }
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, first_closed);
    ::posix_spawn_file_actions_addchdir_np(&actions_, request.directory.c_str());
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }

  int spawn(const ChildRequest& request, pid_t& pid) {
    std::vector<char*> argv = pointers(request.argv);
    std::vector<char*> envp = pointers(request.environment);
    return ::posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), envp.data());
  }

 private:
  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
      out.push_back(const_cast<char*>(text.c_str()));  // exec's signature; it writes nothing
    }
    out.push_back(nullptr);
    return out;
  }

  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

// Reads one pipe to its end and keeps the last `limit` bytes.
class Tail {
 public:
  Tail(asio::io_context& io, int fd, std::size_t limit) : stream_(io, fd), limit_(limit) {}

  void start() {
    stream_.async_read_some(asio::buffer(chunk_), [this](auto error, std::size_t size) {
      if (error) {
        return;
      }
      text_.append(chunk_.data(), size);
      if (text_.size() > 2 * limit_) {
        trim();
      }
      start();
    });
  }

  void cancel() {
    boost::system::error_code ignored;
    stream_.cancel(ignored);
  }

  std::string take(bool* cut) {
    trim();
    if (cut != nullptr) {
      *cut = cut_;
    }
    return std::move(text_);
  }

 private:
  void trim() {
    if (text_.size() > limit_) {
      text_.erase(0, text_.size() - limit_);
      cut_ = true;
    }
  }

  asio::posix::stream_descriptor stream_;
  std::array<char, 16384> chunk_{};
  std::string text_;
  std::size_t limit_;
  bool cut_ = false;
};

// The life of one started program.
class Child {
 public:
  Child(asio::io_context& io, const ChildRequest& request, pid_t pid, int pidfd, int out, int err)
      : request_(request),
        pid_(pid),
        death_(io, pidfd),
        timer_(io),
        out_(io, out, request.stdout_limit),
        err_(io, err, request.stderr_limit) {}

  void start() {
    out_.start();
    err_.start();
    death_.async_wait(asio::posix::stream_descriptor::wait_read, [this](auto error) {
      if (!error) {
        on_exit();
      }
    });
    timer_.expires_after(request_.timeout);
    timer_.async_wait([this](auto error) { on_timer(error ? Phase::kNone : Phase::kTerminate); });
  }

  ChildExit take() {
    result_.out = out_.take(&result_.stdout_cut);
    result_.err = err_.take(nullptr);
    return std::move(result_);
  }

 private:
  enum class Phase { kNone, kTerminate, kKill, kCloseOutput };

  void on_timer(Phase phase) {
    switch (phase) {
      case Phase::kNone:
        return;
      case Phase::kTerminate:
        result_.timed_out = true;
        ::kill(-pid_, SIGTERM);
        schedule(request_.grace, Phase::kKill);
        return;
      case Phase::kKill:
        ::kill(-pid_, SIGKILL);
        return;
      case Phase::kCloseOutput:
        out_.cancel();
        err_.cancel();
        return;
    }
  }

  void schedule(milliseconds delay, Phase phase) {
    timer_.expires_after(delay);
    timer_.async_wait([this, phase](auto error) { on_timer(error ? Phase::kNone : phase); });
  }

  void on_exit() {
    // Before the wait: once it is reaped its number, and so the group's, may be somebody else's.
    if (result_.timed_out) {
      ::kill(-pid_, SIGKILL);
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) {
      result_.code = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
      result_.signal = WTERMSIG(status);
    }
    schedule(kOutputAfterExit, Phase::kCloseOutput);
    io_finish();
  }

  // When both pipes are at their end nothing but the timer is left; it must not hold the loop.
  void io_finish() { closing_ = true; }

  const ChildRequest& request_;
  pid_t pid_;
  asio::posix::stream_descriptor death_;
  asio::steady_timer timer_;
  Tail out_;
  Tail err_;
  ChildExit result_;
  bool closing_ = false;
};

}  // namespace
}  // namespace bluegreen
