// bgctl deploy IMAGE: put IMAGE on the idle color and switch to it. The work is done by run-deploy
// in a process of its own; this one starts it and follows.
#include "controller/commands/command.hpp"
#include "controller/commands/deploy_process.hpp"
#include "controller/deploy/plan.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {

namespace {

constexpr std::chrono::hours kPauseFor{1};

// Before any user gets the new release: what comes between publish and flip is asked for by the
// name of what it is to come before.
Result<void> read_pause(const CommandContext& context, Wish& wish) {
  wish.pause_before = context.option("--pause-before").value_or("");
  if (wish.pause_before.empty()) {
    return context.option("--pause-for")
               ? fail(ExitCode::kUsage, "--pause-for: expected --pause-before flip beside it")
               : Result<void>{};
  }
  if (wish.pause_before != "flip" && wish.pause_before != "canary") {
    return fail(ExitCode::kUsage, "--pause-before: expected flip or canary, found \"" +
                                      printable(wish.pause_before) + "\"");
  }
  const auto time = context.duration("--pause-for", kPauseFor);
  if (!time) {
    return tl::unexpected(time.error());
  }
  if (time->count() <= 0 || *time > kLongestPause) {
    return fail(ExitCode::kUsage, "--pause-for: expected more than 0 and at most 24h, found \"" +
                                      printable(*context.option("--pause-for")) + "\"");
  }
  wish.pause_for = *time;
  return {};
}

}  // namespace

int deploy_command(CommandContext& context) {
  Wish wish{"deploy", context.argument("IMAGE")};
  const auto pause = read_pause(context, wish);
  return pause ? run_in_foreground(context, wish) : context.fail(pause.error());
}

}  // namespace bluegreen
