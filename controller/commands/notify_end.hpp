// Tells whoever the configuration's "notify" names how a deploy has ended. Called by the deploy
// process when its verdict is written and its lock is free: nobody waits for it, and what comes of
// it is a line in the trace, never an exit code.
#pragma once

#include "controller/commands/deploy_worker.hpp"

namespace bluegreen {

void notify_end(DeployProcess& process);

}  // namespace bluegreen
