// What `status` does about a deploy whose process has died: it starts `bgctl recover` in a session
// of its own, and waits a moment for it.
//
// Not itself: finishing a deploy may mean a soak and a drain, and a status has to answer at once.
// Nothing is started while nothing was interrupted (one look at the trace folder's names), while
// somebody has the lock, without a configuration, and by who may not change the control file.
// What it did is said on stderr; whatever goes wrong is no error of the status.
#pragma once

#include "controller/commands/command.hpp"

namespace bluegreen {

void finish_interrupted(CommandContext& context);

}  // namespace bluegreen
