// See detach.hpp.
#include "controller/host/detach.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "controller/host/child_process.hpp"
#include "controller/host/exec.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

// What the unit gets of our environment: systemd gives it its own.
constexpr std::array<const char*, 12> kPassedOn = {
    "PATH",         "HOME",           "LANG",
    "DOCKER_HOST",  "DOCKER_CONFIG",  "BGCTL_RUN_DIR",
    "BGCTL_CONFIG", "SSM_COMMAND_ID", "TZ",
    "HTTPS_PROXY",  "NO_PROXY",       "AWS_SSM_REGION_NAME"};

std::string reason(int error) {
  return std::generic_category().message(error);
}

tl::unexpected<Error> not_started(const std::string& why) {
  return fail(ExitCode::kPreflight, "the deploy process could not be started: " + why);
}

// In the grandchild: nothing but system calls. Does not return; a failure goes into `report`.
[[noreturn]] void become(char* const* argv, const char* log, int report) {
  const auto give_up = [report] {
    const int error = errno;
    [[maybe_unused]] const ssize_t size = ::write(report, &error, sizeof(error));
    ::_exit(127);
  };
  const int null = ::open("/dev/null", O_RDWR);
  const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (null < 0 || out < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(out, STDOUT_FILENO) < 0 ||
      ::dup2(out, STDERR_FILENO) < 0 || ::chdir("/") != 0) {
    give_up();
  }
  reset_signals();
  // All the rest, ours and inherited ones (a lock, a pipe of the caller that waits for its end),
  // closes with the exec; `report` too, which is how the parent learns that it went well.
  constexpr unsigned kCloseOnExec = 1U << 2U;  // CLOSE_RANGE_CLOEXEC
  if (::syscall(SYS_close_range, 3U, ~0U, kCloseOnExec) != 0) {
    for (int fd = 3; fd < 1024; ++fd) {
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }
  ::execv(argv[0], argv);
  give_up();
  ::_exit(127);
}

}  // namespace

std::string unit_word(const std::string& text) {
  std::string word;
  for (const char c : text) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    word += good ? c : '_';
  }
  return word;
}

std::string own_program() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (size <= 0) {
    return "/proc/self/exe";
  }
  std::string name(path.data(), static_cast<std::size_t>(size));
  const std::string gone = " (deleted)";
  if (name.size() > gone.size() &&
      name.compare(name.size() - gone.size(), gone.size(), gone) == 0) {
    name.resize(name.size() - gone.size());
  }
  return name;
}

std::vector<std::string> systemd_run_command(const DetachRequest& request,
                                             const std::vector<std::string>& environment) {
  std::vector<std::string> command = {
      "systemd-run", "--collect", "--quiet", "--no-ask-password", "--unit=" + request.unit,
      "--description=bgctl deploy",
      // Only the deploy itself is told to stop; what it has started is not its.
      "--property=KillMode=process", "--property=StandardInput=null",
      "--property=StandardOutput=append:" + request.log,
      "--property=StandardError=append:" + request.log};
  for (const std::string& entry : environment) {
    command.push_back("--setenv=" + entry);
  }
  command.push_back("--");
  command.push_back(request.program);
  command.insert(command.end(), request.arguments.begin(), request.arguments.end());
  return command;
}

Result<void> start_in_own_session(const DetachRequest& request) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return not_started(reason(errno));
  }
  shm::UniqueFd from(ends[0]);
  shm::UniqueFd to(ends[1]);
  std::vector<char*> argv = {const_cast<char*>(request.program.c_str())};
  for (const std::string& argument : request.arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    return not_started(reason(errno));
  }
  if (child == 0) {
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      become(argv.data(), request.log.c_str(), to.get());
    }
    if (grandchild < 0) {
      const int error = errno;
      [[maybe_unused]] const ssize_t size = ::write(to.get(), &error, sizeof(error));
    }
    ::_exit(0);
  }
  to.reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  int error = 0;
  ssize_t size = 0;
  do {
    size = ::read(from.get(), &error, sizeof(error));
  } while (size < 0 && errno == EINTR);
  if (size == sizeof(error)) {
    return not_started(request.program + ": " + reason(error));
  }
  return {};
}

Result<void> start_detached(const DetachRequest& request) {
  if (::access("/run/systemd/system", F_OK) != 0) {
    return start_in_own_session(request);
  }
  const Environment all = child_environment();
  std::vector<std::string> passed_on;
  for (const char* name : kPassedOn) {
    const std::string_view value = value_in(all, name);
    if (!value.empty()) {
      passed_on.push_back(std::string(name) + "=" + std::string(value));
    }
  }
  ChildRequest child;
  child.argv = systemd_run_command(request, passed_on);
  child.environment = all;
  child.timeout = std::chrono::seconds(20);
  auto ended = run_child(child);
  if (!ended || !ended->ok()) {
    // systemd is there and cannot be asked (a container, a bus that is down): still our own session
    // is out of reach of SSM's kill.
    return start_in_own_session(request);
  }
  return {};
}

}  // namespace bluegreen
