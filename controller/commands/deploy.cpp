// bgctl deploy IMAGE: put IMAGE on the idle color and switch to it. The work is done by run-deploy
// in a process of its own; this one starts it and follows.
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"

namespace bluegreen {

int deploy_command(CommandContext& context) {
  return run_in_foreground(context, {"deploy", context.argument("IMAGE")});
}

}  // namespace bluegreen
