// bgctl rollback: back to the previous release, at once when its color still runs, else by a deploy
// of its image. See deploy.cpp for who does the work.
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"

namespace bluegreen {

int rollback_command(CommandContext& context) {
  return run_in_foreground(context, {"rollback", {}});
}

}  // namespace bluegreen
