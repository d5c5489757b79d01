// After the verdict of a deploy that went well: images of the application that no release to keep
// needs go. Called by the deploy process under the application's lock; a failure is a line in the
// trace.
#pragma once

#include "controller/commands/deploy_worker.hpp"

namespace bluegreen {

void prune_images(DeployProcess& process);

}  // namespace bluegreen
