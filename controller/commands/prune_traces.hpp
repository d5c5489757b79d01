// After the verdict: trace folders beyond keep_traces go, oldest first, but none that
// traces_to_drop (deploy/releases.hpp) leaves. Called by the deploy process under the application's
// lock; a failure is a line in the trace.
#pragma once

#include "controller/commands/deploy_worker.hpp"

namespace bluegreen {

void prune_traces(DeployProcess& process);

}  // namespace bluegreen
