// The control region as this process has it mapped: one mapping a cycle, made by the master before
// it forks and inherited, made again by a worker when the file at the path is another one.
//
// refresh() opens the path and validates it by pread; it maps again when the inode or the region's
// id changed, or when the guard had to cover the mapping. Missing or damaged: what was mapped stays
// mapped (its word is still judged by its own check), state() and error() say what is wrong.
// Called at init_module and from the worker's timer, never on the request path.
#pragma once

#include <csignal>

#include "shm/control_region.hpp"
#include "shm/telemetry_region.hpp"

namespace bluegreen::glue {

class ControlAttachment {
 public:
  ControlAttachment() noexcept = default;
  ControlAttachment(const ControlAttachment&) = delete;
  ControlAttachment& operator=(const ControlAttachment&) = delete;
  ~ControlAttachment() { unmap(); }

  // True when region() is another one than before.
  bool refresh(const char* path) noexcept;
  // For a worker: SIGBUS in the mapping that it inherited is survived from now on.
  void guard() noexcept;

  const shm::ControlRegion* region() const noexcept {
    return static_cast<const shm::ControlRegion*>(mapping_.data());
  }
  std::uint64_t id() const noexcept { return id_; }
  shm::ControlState state() const noexcept { return state_; }
  const shm::OpenError& error() const noexcept { return error_; }
  bool lost() const noexcept { return lost_ != 0; }

 private:
  bool map(const shm::UniqueFd& fd) noexcept;
  void unmap() noexcept;

  shm::Mapping mapping_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t id_ = 0;
  shm::ControlState state_ = shm::ControlState::kMissing;
  shm::OpenError error_;
  bool guarded_ = false;
  volatile std::sig_atomic_t lost_ = 0;
};

}  // namespace bluegreen::glue
