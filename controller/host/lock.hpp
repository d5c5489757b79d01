// Locks between bgctl processes: flock on a file in the run directory.
//
//   control-<id>.lock      around one change of a control region (controller/regions)
//   app-<id>-<app>.lock    for a whole command that changes an application
// <id> is the control region's id in 16 hex digits, so that several control files never meet.
// Beside a lock lies NAME.holder, JSON that says who has it; it may be stale after a kill, the lock
// itself never is: the kernel frees it with the last descriptor. A holder file that lies there when
// the lock is taken tells that its writer was killed, and at what (interrupted). It stays, even if
// the new holder is killed too or fails, until that one says that all is in order (settled). One
// that cannot be written is taken away: it would tell of the same kill again and again.
// Lock files are never removed. Descriptors are close-on-exec: no child keeps a lock.
//
// Errors: kLocked names the holder; kUsage when the run directory cannot be had.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "controller/ports/result.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {

struct LockHolder {
  long pid = 0;         // filled in by acquire
  std::string command;  // "switch", "deploy", ...
  std::string id;       // deploy id, or empty
  std::string since;    // UTC; filled in by acquire
};

// What a deploy's process does after its verdict. Short, and nobody asked for it: who wants the
// lock meanwhile waits for it instead of being refused.
inline constexpr const char* kKeepOldWork = "keep-old";
inline constexpr const char* kPruneWork = "prune";
inline constexpr const char* kOnFailureWork = "on-failure";
bool is_housekeeping(const LockHolder& holder);

std::string control_lock_name(std::uint64_t control_id);
std::string app_lock_name(std::uint64_t control_id, const std::string& app);

class HostLock {
 public:
  // `name` as made by the functions above; `what` is how the message calls it ("application app").
  // Tries until `wait` is over, and longer while the holder is at housekeeping. `holder` gives
  // command and id. With `recorded` off no holder file is written, for locks that are held for
  // microseconds.
  static Result<HostLock> acquire(const std::string& run_dir, const std::string& name,
                                  const std::string& what, const LockHolder& holder,
                                  std::chrono::milliseconds wait = std::chrono::milliseconds{0},
                                  bool recorded = true);

  // The command of the last holder, when it was killed while it held the lock; else empty.
  const std::string& interrupted() const { return interrupted_; }

  // What that one may have left is in order: from now on the file names us.
  void settled();

  // The same holder goes over to something else.
  void now_for(const std::string& command, const std::string& id);

  HostLock(HostLock&& from) noexcept;
  HostLock& operator=(HostLock&& from) noexcept;
  HostLock(const HostLock&) = delete;
  HostLock& operator=(const HostLock&) = delete;
  ~HostLock();

 private:
  HostLock() = default;
  void record();
  void release() noexcept;

  shm::UniqueFd fd_;
  std::string holder_file_;  // empty: none is wanted
  bool written_ = false;     // and it is ours
  LockHolder holder_;
  std::string interrupted_;
};

// Who holds the lock now; empty when nobody does, or nobody said so. Takes no lock.
std::optional<LockHolder> lock_holder(const std::string& run_dir, const std::string& name);

// True when somebody has it at this moment.
bool is_locked(const std::string& run_dir, const std::string& name);

// Makes the run directory (0700) if it is not there.
Result<void> make_run_dir(const std::string& run_dir);

}  // namespace bluegreen
