// bgctl contract: the second half of a schema change, once no older release runs. The work is done
// by a detached process as for a deploy, see deploy.cpp; what it allows and leaves, by
// deploy/contract.hpp.
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"

namespace bluegreen {

int contract_command(CommandContext& context) {
  const auto app = context.app_config();
  if (!app) {
    return context.fail(app.error());
  }
  if (!(*app)->hooks.contract) {
    return context.fail({ExitCode::kUsage,
                         context.global().config + ": apps." + (*app)->name +
                             ".contract: expected a command or a service to run, found nothing",
                         "see docs/migrations.md"});
  }
  return run_in_foreground(context, {"contract", {}});
}

}  // namespace bluegreen
