// A program in a session of its own, started so that no crash of ours can lose it:
//   1. fork; the child waits for one byte from us and ends when none comes
//   2. write its record (its start time does not change with exec)
//   3. send the byte; the child execs; its end of the socket closes, or brings the reason why not
// Killed before 3, we leave no program; killed after 2, we leave one that has a record.
//
// The child runs only async-signal-safe calls between fork and exec. All processes of its session
// are the program's: also those that outlive the one that was started.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include "controller/host/atomic_file.hpp"
#include "controller/host/exec.hpp"
#include "controller/host/kill_point.hpp"
#include "controller/process/proc_table.hpp"
#include "controller/process/supervisor.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// SIGKILL needs no consent; longer than this means a process stuck in the kernel.
constexpr milliseconds kKillTakes{5'000};

struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* directory;
  int gate;  // our end in the child
  int log;
};

[[noreturn]] void give_up(int gate) {
  const int error = errno;
  static_cast<void>(!::write(gate, &error, sizeof(error)));
  ::_exit(127);
}

[[noreturn]] void become_program(const Prepared& prepared) {
  ::setsid();
  char go = 0;
  if (::read(prepared.gate, &go, 1) != 1) {
    ::_exit(127);  // whoever started us is gone, and there may be no record
  }
  reset_signals();
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(prepared.log, 1) < 0 ||
      ::dup2(prepared.log, 2) < 0) {
    give_up(prepared.gate);
  }
  // The gate goes to 3, where close_range spares it, and closes on exec.
  const int gate = prepared.gate == 3 ? 3 : ::dup2(prepared.gate, 3);
  ::fcntl(gate, F_SETFD, FD_CLOEXEC);
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  if (::chdir(prepared.directory) != 0) {
    give_up(gate);
  }
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  give_up(gate);
}

class SessionSupervisor final : public Supervisor {
 public:
  std::string folder(const std::string& run_dir) const override { return run_dir + "/process"; }
  Result<ProcessRecord> launch(const LaunchRequest& request) override;
  Result<std::optional<ProcessRecord>> running(const ProcessPlace& place) override;
  Result<void> stop(const ProcessPlace& place, milliseconds grace) override;

  Result<void> forget(const ProcessPlace& place) override {
    if (auto done = remove_file(place.record_file); !done) {
      return fail(ExitCode::kNotHealthy, done.error());
    }
    return {};
  }

  std::string last_exit(const ProcessPlace& place) override {
    reap(place);
    const auto found = exits_.find(place.name);
    return found == exits_.end() ? std::string() : found->second;
  }

 private:
  Result<ProcessRecord> open_gate(const LaunchRequest& request, int pid, shm::UniqueFd gate);
  void reap(const ProcessPlace& place);

  std::map<std::string, int> children_;       // place -> pid, of this bgctl alone
  std::map<std::string, std::string> exits_;  // place -> how it ended
};

Result<ProcessRecord> SessionSupervisor::launch(const LaunchRequest& request) {
  const auto failed = [&request](const char* what) {
    return fail(ExitCode::kNotHealthy,
                fmt::format("start {}: {}: {}", request.argv[0], what, std::strerror(errno)));
  };
  const std::string& log_file = request.place.log_file;
  const shm::UniqueFd log(
      ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640));
  if (!log) {
    return failed(log_file.c_str());
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed("socketpair");
  }
  shm::UniqueFd ours(ends[0]);
  shm::UniqueFd theirs(ends[1]);
  const Prepared prepared{exec_pointers(request.argv), exec_pointers(request.environment),
                          request.directory.c_str(), theirs.get(), log.get()};
  const pid_t pid = ::fork();
  if (pid < 0) {
    return failed("fork");
  }
  if (pid == 0) {
    ::close(ends[0]);  // else the child itself would keep the gate from closing
    become_program(prepared);
  }
  BLUEGREEN_KILL_POINT("process forked");
  theirs.reset();
  children_[request.place.name] = pid;
  exits_.erase(request.place.name);
  return open_gate(request, pid, std::move(ours));
}

Result<ProcessRecord> SessionSupervisor::open_gate(const LaunchRequest& request, int pid,
                                                   shm::UniqueFd gate) {
  ProcessRecord record;
  record.pid = pid;
  record.boot_id = boot_id();
  record.image = request.image;
  record.argv = request.argv;
  record.started_unix_ms =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const auto stat = stat_of(pid);
  record.start_ticks = stat ? stat->start_ticks : 0;
  if (auto written = replace_file(request.place.record_file, to_text(record)); !written) {
    gate.reset();  // the child ends by itself
    ::waitpid(pid, nullptr, 0);
    children_.erase(request.place.name);
    return fail(ExitCode::kNotHealthy, written.error());
  }
  BLUEGREEN_KILL_POINT("process recorded");
  const char go = 'g';
  int error = 0;
  const bool sent = ::send(gate.get(), &go, 1, MSG_NOSIGNAL) == 1;
  if (!sent || ::recv(gate.get(), &error, sizeof(error), MSG_WAITALL) != 0) {
    ::waitpid(pid, nullptr, 0);
    children_.erase(request.place.name);
    static_cast<void>(forget(request.place));
    return fail(ExitCode::kNotHealthy, fmt::format("start {} in {}: {}", request.argv[0],
                                                   request.directory, std::strerror(error)));
  }
  BLUEGREEN_KILL_POINT("process started");
  return record;
}

void SessionSupervisor::reap(const ProcessPlace& place) {
  const auto child = children_.find(place.name);
  int status = 0;
  if (child == children_.end() || ::waitpid(child->second, &status, WNOHANG) != child->second) {
    return;
  }
  children_.erase(child);
  exits_[place.name] = WIFEXITED(status) ? fmt::format("exited with {}", WEXITSTATUS(status))
                                         : fmt::format("was killed by signal {}", WTERMSIG(status));
}

Result<std::optional<ProcessRecord>> SessionSupervisor::running(const ProcessPlace& place) {
  reap(place);
  auto record = load_record(place);
  if (!record || !*record) {
    return record;
  }
  const auto stat = stat_of((*record)->pid);
  if (!stat || !stat->alive() || stat->start_ticks != (*record)->start_ticks ||
      boot_id() != (*record)->boot_id) {
    return std::optional<ProcessRecord>();
  }
  return record;
}

// The processes that are left of a record's session. The kernel gives a session's number to no new
// process while the session has a member, so another start time behind it means: none is left.
std::vector<ProcessStat> remains_of(const ProcessRecord& record) {
  if (boot_id() != record.boot_id) {
    return {};
  }
  const auto leader = stat_of(record.pid);
  if (leader && leader->start_ticks != record.start_ticks) {
    return {};
  }
  return session_members(record.pid);
}

// Waits until none of the session is left; false when `until` came first.
bool wait_gone(const ProcessRecord& record, steady_clock::time_point until) {
  for (;;) {
    const std::vector<ProcessStat> remains = remains_of(record);
    if (remains.empty()) {
      return true;
    }
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    if (left <= 0) {
      return false;
    }
    const shm::UniqueFd one = open_process(remains.front());
    if (one) {
      pollfd waited{one.get(), POLLIN, 0};
      ::poll(&waited, 1, static_cast<int>(left));
    }
  }
}

Result<void> SessionSupervisor::stop(const ProcessPlace& place, milliseconds grace) {
  const auto record = load_record(place);
  if (!record) {
    return tl::unexpected(record.error());
  }
  if (!*record || remains_of(**record).empty()) {
    reap(place);
    return {};
  }
  BLUEGREEN_KILL_POINT("process about to be stopped");
  if (::kill(-(*record)->pid, SIGTERM) != 0) {
    // The first process and its group have ended, others of the session have not.
    for (const ProcessStat& process : remains_of(**record)) {
      ::kill(process.pid, SIGTERM);
    }
  }
  BLUEGREEN_KILL_POINT("process told to stop");
  bool gone = wait_gone(**record, steady_clock::now() + grace);
  if (!gone) {
    const auto until = steady_clock::now() + kKillTakes;
    // Each by its number: some may have made a group of their own in the session.
    for (const ProcessStat& process : remains_of(**record)) {
      ::kill(process.pid, SIGKILL);
    }
    gone = wait_gone(**record, until);
  }
  BLUEGREEN_KILL_POINT("process stopped");
  reap(place);
  if (!gone) {
    return fail(ExitCode::kNotHealthy, fmt::format("{} (pid {}) does not end, not even by SIGKILL",
                                                   place.name, (*record)->pid));
  }
  return {};
}

}  // namespace

std::unique_ptr<Supervisor> make_session_supervisor() {
  return std::make_unique<SessionSupervisor>();
}

Result<std::optional<ProcessRecord>> load_record(const ProcessPlace& place) {
  const auto text = read_file(place.record_file);
  if (!text) {
    return fail(ExitCode::kPreflight, text.error());
  }
  if (!*text) {
    return std::optional<ProcessRecord>();
  }
  auto record = parse_record(**text);
  if (!record) {
    return fail(ExitCode::kPreflight,
                fmt::format("{} is no process record: {}", place.record_file, record.error()),
                "end the color's program by hand, then remove the file");
  }
  return std::optional<ProcessRecord>(std::move(*record));
}

}  // namespace bluegreen
