// Runs `docker compose`, one at a time for a project.
//
// The lock <run_dir>/compose-<project>.lock is held by us and by the running command itself: a
// bgctl killed with -9 leaves its `docker compose up` at work, and the next one waits here until
// that has ended instead of working against it. Called by ComposeRuntime; blocks; errors have the
// end of Compose's own stderr as their tail.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "controller/config/config.hpp"
#include "controller/host/child_process.hpp"
#include "controller/ports/result.hpp"
#include "controller/ports/runtime.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {

// A bgctl that was killed may have left a `docker compose up` at work.
inline constexpr std::chrono::milliseconds kOthersUp{200'000};

class ProjectLock {
 public:
  static Result<ProjectLock> acquire(const std::string& run_dir, const std::string& project,
                                     std::chrono::milliseconds wait);
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit ProjectLock(shm::UniqueFd fd) : fd_(std::move(fd)) {}
  shm::UniqueFd fd_;
};

class ComposeCommand {
 public:
  ComposeCommand(const ComposeConfig& config, std::string docker_host);

  // "2.26.1"; kPreflight when there is no Compose v2.
  [[nodiscard]] Result<std::string> version() const;
  // The whole configuration as JSON, interpolated with `env_file`.
  [[nodiscard]] Result<std::string> document(const std::string& env_file) const;
  // The same, with a service that is in a profile.
  [[nodiscard]] Result<std::string> document_of(const std::string& service,
                                                const std::string& env_file) const;
  // Creates and starts one service, with nothing that it depends on.
  [[nodiscard]] Result<void> up(const std::string& service, const ProjectLock& lock) const;
  // Runs one service to its end, alone, in a container that is removed (kMigration).
  [[nodiscard]] Result<void> run_once(const OneOff& one_off, const std::string& env_file,
                                      const ProjectLock& lock,
                                      std::function<bool()> stop_asked) const;

 private:
  [[nodiscard]] Result<std::string> document_by(ChildRequest request) const;
  [[nodiscard]] ChildRequest request(const std::string& env_file) const;

  const ComposeConfig& config_;
  std::string docker_host_;
};

}  // namespace bluegreen
