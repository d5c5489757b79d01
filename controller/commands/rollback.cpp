// bgctl rollback: back to the previous release, at once when its color still runs, else by a deploy
// of its image. See deploy.cpp for who does the work.
//
// A deploy that runs is told to go back itself: nobody else may move traffic while it does. Where
// it has not flipped yet that is an abort; where it is too late for it, the rollback is made when
// the deploy has ended. Another rollback that runs is not reversed: that is what the lock is for.
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"
#include "controller/commands/follow_deploy.hpp"
#include "controller/commands/hand_over.hpp"

namespace bluegreen {
namespace {

constexpr std::chrono::minutes kDeployEndsWithin{5};

// The exit code, or none when it is to be made as if there had been no deploy.
std::optional<int> hand_to_deploy(CommandContext& context) {
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return std::nullopt;  // it will be told
  }
  const auto deploy = deploy_at_work(*place);
  if (!deploy || deploy->command != "deploy" || context.option("--id") == deploy->to.deploy) {
    return std::nullopt;
  }
  SystemClock clock;
  auto answer = stop_deploy(*place, *deploy, Order::kRollback, clock, kSafeWithin);
  if (answer && answer->end == StopEnd::kTooLate) {
    answer = stop_deploy(*place, *deploy, Order::kRollback, clock, kDeployEndsWithin);
  }
  if (!answer) {
    return fail_briefly(context, answer.error(), 0);
  }
  const bool is_done =
      answer->end == StopEnd::kEnded &&
      (answer->verdict.code == ExitCode::kDone || answer->verdict.code == ExitCode::kDrainForced);
  return is_done ? std::nullopt : std::optional(finish_stopped(context, *place, *deploy, *answer));
}

}  // namespace

int rollback_command(CommandContext& context) {
  const auto handed = hand_to_deploy(context);
  return handed ? *handed : run_in_foreground(context, Wish{"rollback"});
}

}  // namespace bluegreen
