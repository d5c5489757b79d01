// bgctl abort: the deploy that runs stops and takes back what it began; its own command ends with
// 95. Returns when the safe state is reached and says which, or that it came too late (20).
#include "controller/commands/command.hpp"
#include "controller/commands/hand_over.hpp"

namespace bluegreen {

int abort_command(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return context.fail(place.error());
  }
  SystemClock clock;
  const auto deploy = find_deploy(*place, clock);
  if (!deploy) {
    return context.fail(deploy.error());
  }
  const auto answer = stop_deploy(*place, *deploy, Order::kAbort, clock, kSafeWithin);
  return answer ? finish_stopped(context, *place, *deploy, *answer) : context.fail(answer.error());
}

}  // namespace bluegreen
