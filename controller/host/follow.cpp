// See follow.hpp.
#include "controller/host/follow.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>

#include "controller/host/log_file.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/verdict.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::steady_clock;

// New whole lines of events.ndjson at each call.
class EventReader {
 public:
  explicit EventReader(std::string path) : path_(std::move(path)) {}

  void forward(EventSink& to) {
    if (!fd_) {
      fd_ = shm::UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    }
    if (!fd_) {
      return;
    }
    std::array<char, 8192> chunk{};
    ssize_t size = 0;
    while ((size = ::read(fd_.get(), chunk.data(), chunk.size())) > 0) {
      rest_.append(chunk.data(), static_cast<std::size_t>(size));
    }
    std::size_t from = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1) {
      if (auto event = event_from_json(rest_.substr(from, end - from))) {
        to.emit(*event);
      }
    }
    rest_.erase(0, from);
  }

 private:
  std::string path_;
  shm::UniqueFd fd_;
  std::string rest_;
};

// SIGINT and SIGTERM as a descriptor, for as long as it lives.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&wanted_);
    ::sigaddset(&wanted_, SIGINT);
    ::sigaddset(&wanted_, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &wanted_, &before_);
    fd_ = shm::UniqueFd(::signalfd(-1, &wanted_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  int fd() const { return fd_.get(); }

 private:
  sigset_t wanted_{};
  sigset_t before_{};
  shm::UniqueFd fd_;
};

void drop_notifications(int fd) {
  std::array<char, 4096> buffer{};
  while (::read(fd, buffer.data(), buffer.size()) > 0) {
  }
}

Error died(const std::string& folder) {
  return Error{ExitCode::kInterrupted, "the deploy process has ended without a verdict",
               "run the same command again, or `bgctl recover`: both find out what is true and "
               "finish or undo it; its trace is " +
                   folder,
               file_tail(folder + "/log", 5)};
}

}  // namespace

Result<Verdict> follow(const std::string& folder, EventSink& events) {
  Signals signals;
  const shm::UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  // Without inotify (its limits) the life check's rhythm has to do.
  ::inotify_add_watch(changes.get(), folder.c_str(),
                      IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_CLOSE_WRITE);
  EventReader reader(folder + "/events.ndjson");
  const auto start_by = steady_clock::now() + kStartWithin;
  bool seen_alive = false;
  for (;;) {
    // In this order: a process that dies after its verdict has written both before.
    const bool alive = runner_is_alive(folder);
    seen_alive |= alive;
    auto verdict = read_verdict(folder);
    reader.forward(events);
    events.tick();
    if (!verdict) {
      return tl::unexpected(verdict.error());
    }
    if (*verdict) {
      return std::move(**verdict);
    }
    if (!alive && (seen_alive || steady_clock::now() >= start_by)) {
      return tl::unexpected(died(folder));
    }
    std::array<struct pollfd, 2> both{{{changes.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
    ::poll(both.data(), both.size(), static_cast<int>(kLifeCheck.count()));
    if ((both[1].revents & POLLIN) != 0) {
      drop_notifications(signals.fd());  // one that is still pending would end us unblocked
      return fail(ExitCode::kInterrupted,
                  "stopped following on a signal; the deploy goes on in its own process",
                  "the same command with --id " + folder.substr(folder.rfind('/') + 1) +
                      " follows it again; `bgctl abort` stops it and takes it back");
    }
    drop_notifications(changes.get());
  }
}

}  // namespace bluegreen
