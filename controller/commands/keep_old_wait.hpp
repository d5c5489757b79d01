// After the verdict: the deploy process stays for keep_old, without the lock, and stops the old
// color then, unless somebody changes the application first: it ends then. Where requests may be on
// the old color again, it waits for them as a drain does.
//
// What goes wrong is a line in the trace: the verdict is out. A stop on request ends the waiting
// and leaves the old color up.
#pragma once

#include "controller/commands/deploy_worker.hpp"
#include "controller/deploy/step.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {

void keep_old_then_stop(DeployProcess& process, TelemetryFile& telemetry, Leftover left);

}  // namespace bluegreen
