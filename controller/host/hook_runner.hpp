// HookPort with real programs, by run_child.
//
// A running hook holds the lock <run_dir>/<name>.hook (flock, descriptor 3), which is how one whose
// bgctl was killed is found again: end_orphan kills the process group of everybody who has that
// file open. The environment is clean: PATH, HOME, LANG (when we have them) and what the caller
// gives. Made by run-deploy and recover, one an application; `name` is that of
// the application's lock, which its caller holds.
#pragma once

#include <functional>
#include <string>

#include "controller/ports/hooks.hpp"

namespace bluegreen {

class HookRunner final : public HookPort {
 public:
  HookRunner(const std::string& run_dir, const std::string& name, std::function<bool()> stop_asked)
      : lock_path_(run_dir + "/" + name + ".hook"), stop_asked_(std::move(stop_asked)) {}

  Result<void> run(const HookRun& hook) override;
  Result<void> end_orphan() override;

 private:
  std::string lock_path_;
  std::function<bool()> stop_asked_;
};

}  // namespace bluegreen
