// posix_spawn starts the program; Boost.Asio waits for four things at once: both pipes, the pidfd
// and the deadline. pidfd_open is called by number: glibc has a wrapper only since 2.36.
#include "controller/host/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
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
#include <functional>
#include <utility>

#include "controller/host/exec.hpp"
#include "shm/unique_fd.hpp"

extern char** environ;

namespace bluegreen {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How long output may still come once the program has ended: a grandchild that inherited the pipe
// would otherwise keep us for ever.
constexpr milliseconds kOutputAfterExit{500};
// So soon is a request to stop noticed.
constexpr milliseconds kStopNoticed{100};

// Whose account this is, for a process without HOME.
std::string home_folder() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getuid() != 0 &&
      ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    return entry.pw_dir;
  }
  return "/root";
}

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
    if (request.input_fd >= 0) {
      ::posix_spawn_file_actions_adddup2(&actions_, request.input_fd, 0);
    } else {
      ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions_, out, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, request.one_stream ? out : err, 2);
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
    std::vector<char*> argv = exec_pointers(request.argv);
    std::vector<char*> envp = exec_pointers(request.environment);
    return ::posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), envp.data());
  }

 private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

// Reads one pipe to its end and keeps the last `limit` bytes.
class Tail {
 public:
  Tail(asio::io_context& io, int fd, std::size_t limit,
       const std::function<void(std::string_view)>& on_output)
      : stream_(io, fd), on_output_(on_output), limit_(limit) {}

  void start(std::function<void()> at_end) {
    at_end_ = std::move(at_end);
    read();
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
  void read() {
    stream_.async_read_some(asio::buffer(chunk_), [this](auto error, std::size_t size) {
      if (error) {
        at_end_();
        return;
      }
      if (on_output_) {
        on_output_(std::string_view(chunk_.data(), size));
      }
      text_.append(chunk_.data(), size);
      if (text_.size() > 2 * limit_) {
        trim();
      }
      read();
    });
  }

  void trim() {
    if (text_.size() > limit_) {
      text_.erase(0, text_.size() - limit_);
      cut_ = true;
    }
  }

  asio::posix::stream_descriptor stream_;
  const std::function<void(std::string_view)>& on_output_;
  std::function<void()> at_end_;
  std::array<char, 16384> chunk_{};
  std::string text_;
  std::size_t limit_;
  bool cut_ = false;
};

// The life of one started program. Three things are open at first: it and its two pipes; when all
// have ended the timer is cancelled and the loop runs out of work.
class Child {
 public:
  Child(asio::io_context& io, const ChildRequest& request, pid_t pid, shm::UniqueFd pidfd,
        shm::UniqueFd out, shm::UniqueFd err)
      : request_(request),
        pid_(pid),
        death_(io, pidfd.release()),
        timer_(io),
        look_(io),
        out_(io, out.release(), request.stdout_limit, request.on_output),
        err_(io, err.release(), request.stderr_limit, nobody_) {}

  void start() {
    out_.start([this] { one_ended(); });
    err_.start([this] { one_ended(); });
    death_.async_wait(asio::posix::stream_descriptor::wait_read, [this](auto) { on_exit(); });
    schedule(request_.timeout, Phase::kTerminate);
    if (request_.stop_when) {
      look_for_stop();
    }
  }

  // When the loop has run out of work. Only here is it reaped: once it is, its number, and so the
  // group's, may be somebody else's.
  ChildExit take() {
    if (request_.end_group) {
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
    result_.out = out_.take(&result_.stdout_cut);
    result_.err = err_.take(nullptr);
    return std::move(result_);
  }

 private:
  enum class Phase { kTerminate, kKill, kCloseOutput };

  void schedule(milliseconds delay, Phase phase) {
    timer_.expires_after(delay);
    timer_.async_wait([this, phase](auto error) {
      if (!error) {
        on_timer(phase);
      }
    });
  }

  void on_timer(Phase phase) {
    switch (phase) {
      case Phase::kTerminate:
        result_.timed_out = !result_.stopped;
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

  void look_for_stop() {
    look_.expires_after(kStopNoticed);
    look_.async_wait([this](auto error) {
      if (error || exited_ || result_.timed_out) {
        return;
      }
      if (!request_.stop_when()) {
        look_for_stop();
        return;
      }
      result_.stopped = true;
      on_timer(Phase::kTerminate);
    });
  }

  void on_exit() {
    exited_ = true;
    if (result_.timed_out || result_.stopped) {
      ::kill(-pid_, SIGKILL);
    }
    schedule(kOutputAfterExit, Phase::kCloseOutput);
    one_ended();
  }

  void one_ended() {
    if (--open_ == 0) {
      timer_.cancel();
      look_.cancel();
    }
  }

  const std::function<void(std::string_view)> nobody_;
  const ChildRequest& request_;
  pid_t pid_;
  asio::posix::stream_descriptor death_;
  asio::steady_timer timer_;
  asio::steady_timer look_;
  Tail out_;
  Tail err_;
  ChildExit result_;
  int open_ = 3;
  bool exited_ = false;
};

struct Pipe {
  shm::UniqueFd read;
  shm::UniqueFd write;
};

bool open_pipe(Pipe& pipe) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return false;
  }
  pipe.read = shm::UniqueFd(ends[0]);
  pipe.write = shm::UniqueFd(ends[1]);
  return true;
}

tl::expected<ChildExit, std::string> run(const ChildRequest& request) {
  const auto begin = steady_clock::now();
  Pipe out;
  Pipe err;
  if (!open_pipe(out) || !open_pipe(err)) {
    return tl::unexpected(fmt::format("pipe: {}", std::strerror(errno)));
  }
  asio::io_context io(1);
  SpawnPlan plan;
  plan.fill(request, out.write.get(), err.write.get());
  pid_t pid = -1;
  if (const int error = plan.spawn(request, pid); error != 0) {
    return tl::unexpected(
        fmt::format("cannot start {}: {}", request.argv[0], std::strerror(error)));
  }
  out.write.reset();
  err.write.reset();
  shm::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected(fmt::format("pidfd_open: {}", std::strerror(error)));
  }
  Child child(io, request, pid, std::move(pidfd), std::move(out.read), std::move(err.read));
  child.start();
  io.run();
  ChildExit result = child.take();
  result.took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
  return result;
}

}  // namespace

tl::expected<ChildExit, std::string> run_child(const ChildRequest& request) {
  if (request.argv.empty()) {
    return tl::unexpected(std::string("no program was given"));
  }
  try {
    return run(request);
  } catch (const boost::system::system_error& error) {
    return tl::unexpected(fmt::format("cannot watch {}: {}", request.argv[0], error.what()));
  }
}

std::string describe(const ChildExit& exit) {
  if (exit.timed_out) {
    return fmt::format("did not end within {:.1f} s",
                       std::chrono::duration<double>(exit.took).count());
  }
  if (exit.stopped) {
    return "was stopped on request";
  }
  if (exit.signal != 0) {
    return fmt::format("was killed by signal {}", exit.signal);
  }
  return fmt::format("exited with {}", exit.code);
}

std::string_view value_in(const Environment& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return std::string_view(entry).substr(name.size() + 1);
    }
  }
  return {};
}

Environment child_environment(const std::vector<std::string>& without) {
  Environment environment;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    if (std::find(without.begin(), without.end(), name) == without.end()) {
      environment.emplace_back(text);
    }
  }
  const auto set_when_empty = [&environment](std::string_view name, const std::string& value) {
    if (value_in(environment, name).empty()) {
      environment.push_back(fmt::format("{}={}", name, value));
    }
  };
  set_when_empty("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  set_when_empty("HOME", home_folder());
  set_when_empty("DOCKER_CONFIG", std::string(value_in(environment, "HOME")) + "/.docker");
  return environment;
}

}  // namespace bluegreen
