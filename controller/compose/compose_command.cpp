// See the header.
#include "controller/compose/compose_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "controller/host/atomic_file.hpp"
#include "controller/host/kill_point.hpp"
#include "controller/host/line_splitter.hpp"
#include "controller/host/log_file.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLookFor{30'000};  // version and config: local work of a second
constexpr milliseconds kUpTakes{180'000};
constexpr milliseconds kLockPoll{50};
constexpr milliseconds kRunGrace{2'000};  // an abort has 10 s in all
constexpr std::size_t kTailLines = 15;

std::string folder_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

std::string last_line(const std::string& text) {
  return text_tail(text, 1);
}

Result<ChildExit> run(const ChildRequest& request, ExitCode code) {
  auto exit = run_child(request);
  if (!exit) {
    return fail(code, exit.error(),
                "install Docker's command line (package docker-ce-cli or "
                "docker.io)");
  }
  return std::move(*exit);
}

}  // namespace

Result<ProjectLock> ProjectLock::acquire(const std::string& run_dir, const std::string& project,
                                         milliseconds wait) {
  if (auto made = make_folder(run_dir); !made) {
    return fail(ExitCode::kPreflight, made.error());
  }
  const std::string path = fmt::format("{}/compose-{}.lock", run_dir, project);
  shm::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) {
    return fail(ExitCode::kPreflight, fmt::format("open {}: {}", path, std::strerror(errno)));
  }
  const auto until = steady_clock::now() + wait;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail(ExitCode::kPreflight, fmt::format("lock {}: {}", path, std::strerror(errno)));
    }
    if (steady_clock::now() >= until) {
      return fail(
          ExitCode::kPreflight,
          fmt::format("another `docker compose` of bgctl works on project {} ({})", project, path));
    }
    std::this_thread::sleep_for(kLockPoll);  // flock has no waiting with a deadline
  }
  return ProjectLock(std::move(fd));
}

ComposeCommand::ComposeCommand(const ComposeConfig& config, std::string docker_host)
    : config_(config), docker_host_(std::move(docker_host)) {}

ChildRequest ComposeCommand::request(const std::string& env_file) const {
  ChildRequest out;
  // Compose lets the environment win over the env file, and some of its own variables over flags.
  out.environment = child_environment({config_.image_variables[0], config_.image_variables[1],
                                       "COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES",
                                       "DOCKER_HOST", "DOCKER_CONTEXT"});
  out.environment.push_back("DOCKER_HOST=" + docker_host_);
  out.directory = folder_of(config_.file);
  out.argv = {"docker", "compose",       "-f",     config_.file, "--env-file", env_file,
              "-p",     config_.project, "--ansi", "never"};
  return out;
}

Result<std::string> ComposeCommand::version() const {
  ChildRequest out = request(config_.env_file);
  out.argv = {"docker", "compose", "version", "--short"};
  out.directory = "/";
  out.timeout = kLookFor;
  const auto exit = run(out, ExitCode::kPreflight);
  if (!exit) {
    return tl::unexpected(exit.error());
  }
  if (!exit->ok()) {
    return fail(
        ExitCode::kPreflight,
        fmt::format("`docker compose version` {}: {}", describe(*exit), last_line(exit->err)),
        "install Docker's compose plugin, for all users: "
        "/usr/local/lib/docker/cli-plugins/docker-compose");
  }
  return last_line(exit->out);
}

Result<std::string> ComposeCommand::document(const std::string& env_file) const {
  ChildRequest out = request(env_file);
  out.argv.insert(out.argv.end(), {"config", "--format", "json"});
  return document_by(std::move(out));
}

Result<std::string> ComposeCommand::document_of(const std::string& service,
                                                const std::string& env_file) const {
  ChildRequest out = request(env_file);
  // Newer versions turn a named service's profile on by themselves, older ones leave it out.
  out.argv.insert(out.argv.end(), {"--profile", "*", "config", "--format", "json", service});
  return document_by(std::move(out));
}

Result<std::string> ComposeCommand::document_by(ChildRequest out) const {
  out.timeout = kLookFor;
  auto exit = run(out, ExitCode::kPreflight);
  if (!exit) {
    return tl::unexpected(exit.error());
  }
  if (!exit->ok() || exit->stdout_cut) {
    return fail(ExitCode::kPreflight, fmt::format("{}: docker compose config {}: {}", config_.file,
                                                  describe(*exit), last_line(exit->err)));
  }
  return std::move(exit->out);
}

Result<void> ComposeCommand::up(const std::string& service, const ProjectLock& lock) const {
  ChildRequest out = request(config_.env_file);
  out.argv.insert(out.argv.end(), {"--progress", "plain", "up", "-d", "--no-deps", "--no-build",
                                   "--pull", "never", service});
  out.timeout = kUpTakes;
  out.inherited_fd = lock.fd();
  BLUEGREEN_KILL_POINT("compose about to run");
  const auto exit = run(out, ExitCode::kNotHealthy);
  BLUEGREEN_KILL_POINT("compose has run");
  if (!exit) {
    return tl::unexpected(exit.error());
  }
  if (exit->ok()) {
    return {};
  }
  Error error{
      ExitCode::kNotHealthy,
      fmt::format("docker compose up {} {}: {}", service, describe(*exit), last_line(exit->err)),
      {},
      text_tail(exit->err, kTailLines)};
  if (exit->err.find("no space left") != std::string::npos) {
    error.hint = "free space on the Docker data folder";
  }
  return tl::unexpected(std::move(error));
}

Result<void> ComposeCommand::run_once(const OneOff& one_off, const std::string& env_file,
                                      const ProjectLock& lock,
                                      std::function<bool()> stop_asked) const {
  ChildRequest out = request(env_file);
  out.argv.insert(out.argv.end(), {"--progress", "quiet", "run", "--rm", "--no-deps", "-T",
                                   "--name", one_off.name});
  for (const std::string& variable : one_off.environment) {
    out.argv.insert(out.argv.end(), {"-e", variable});
  }
  out.argv.push_back(one_off.service);
  LineSplitter lines(one_off.line);
  out.timeout = one_off.timeout;
  out.grace = kRunGrace;
  out.inherited_fd = lock.fd();
  out.one_stream = true;
  out.end_group = true;
  out.on_output = [&lines](std::string_view piece) { lines.feed(piece); };
  out.stop_when = std::move(stop_asked);
  const auto exit = run(out, ExitCode::kMigration);
  lines.end();
  if (!exit) {
    return tl::unexpected(exit.error());
  }
  if (exit->ok()) {
    return {};
  }
  Error error{exit->stopped ? ExitCode::kAborted : ExitCode::kMigration,
              exit->stopped ? "stopped on request"
                            : fmt::format("service {} {}{}", one_off.service, describe(*exit),
                                          exit->timed_out ? " and was killed" : ""),
              {},
              text_tail(exit->out, kTailLines)};
  return tl::unexpected(std::move(error));
}

}  // namespace bluegreen
