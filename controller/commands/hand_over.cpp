// See hand_over.hpp.
#include "controller/commands/hand_over.hpp"

#include "controller/commands/deploy_process.hpp"
#include "controller/commands/follow_deploy.hpp"
#include "controller/commands/target.hpp"
#include "controller/commands/who_asked.hpp"
#include "controller/deploy/headline.hpp"
#include "controller/deploy/plan.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/trace.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBetweenAnswers{10};

bool is_deploy(const LockHolder& holder) {
  return !holder.id.empty() && (holder.command == "deploy" || holder.command == "rollback");
}

// The newest deploy has no verdict and its process lives, or is being started.
bool one_is_starting(const DeployPlace& place) {
  const auto list = TraceFolders(place.config->trace_dir).list(place.app->name);
  return list && !list->empty() && !list->front().verdict && list->front().alive;
}

Error nothing_to_hand_to(const DeployPlace& place) {
  const auto holder = lock_holder(place.target.run_dir, place.lock_name());
  Error error{ExitCode::kPreflight, "no deploy of " + place.app->name + " is running", {}, {}};
  if (holder && is_locked(place.target.run_dir, place.lock_name())) {
    error.what += is_housekeeping(*holder)
                      ? "; the last one has ended, what is left of it is being cleaned up"
                      : "; `bgctl " + holder->command + "` is at work";
  }
  const auto now = place.control->read(place.app->name);
  if (now) {
    error.what += ": " + std::string(shm::name_of(now->route.active)) + " serves " +
                  describe_release(now->tables[shm::index_of(now->route.active)]);
  }
  error.hint =
      "`bgctl history` lists the deploys; `bgctl rollback` goes back to the release before";
  return error;
}

std::vector<JournalRecord> journal_of(const DeployPlace& place, const DeployInProgress& deploy) {
  auto trace = TraceFolders(place.config->trace_dir).open(place.app->name, deploy.to.deploy);
  auto records = trace ? (*trace)->records() : Result<std::vector<JournalRecord>>{};
  return records ? std::move(*records) : std::vector<JournalRecord>{};
}

// The old color serves, so an order that is given keeps the deploy from ever flipping: it looks
// before each step.
bool old_serves(const DeployPlace& place, const DeployInProgress& deploy) {
  const auto now = place.control->read(place.app->name);
  Facts plan;
  for (const JournalRecord& record : journal_of(place, deploy)) {
    plan = record.kind == RecordKind::kBegin ? record.data : plan;
  }
  const auto read = plan_from(plan);
  return now && (!read || now->route.active == read->active());
}

// What serves now, as the beginning of this command's verdict on that deploy.
Verdict begin_verdict(const std::string& command, const DeployPlace& place,
                      const DeployInProgress& deploy) {
  Verdict verdict;
  if (const auto now = place.control->read(place.app->name)) {
    verdict = verdict_about(command, place.app->name, *now);
  }
  verdict.command = command;
  verdict.app = place.app->name;
  verdict.id = deploy.to.deploy;
  verdict.trace = deploy.folder;
  return verdict;
}

}  // namespace

std::optional<DeployInProgress> deploy_at_work(const DeployPlace& place) {
  const auto holder = lock_holder(place.target.run_dir, place.lock_name());
  if (!holder || !is_deploy(*holder) || !is_locked(place.target.run_dir, place.lock_name())) {
    return std::nullopt;
  }
  return DeployInProgress{holder->command,
                          OrderTo{place.target.run_dir, place.lock_name(), holder->id, holder->pid},
                          trace_folder(place.config->trace_dir, place.app->name, holder->id)};
}

Result<DeployInProgress> find_deploy(const DeployPlace& place, SystemClock& clock) {
  constexpr milliseconds kStartsWithin{3'000};
  const auto give_up = clock.now() + kStartsWithin;
  auto found = deploy_at_work(place);
  while (!found && one_is_starting(place) && clock.now() < give_up && clock.wait(kBetweenAnswers)) {
    found = deploy_at_work(place);
  }
  return found ? Result<DeployInProgress>(std::move(*found))
               : tl::unexpected(nothing_to_hand_to(place));
}

Result<StopAnswer> stop_deploy(const DeployPlace& place, const DeployInProgress& deploy,
                               Order order, SystemClock& clock, milliseconds at_most) {
  if (auto given = give_order(deploy.to, order, who_asked()); !given) {
    return tl::unexpected(given.error());
  }
  StopAnswer answer;
  const auto give_up = clock.now() + at_most;
  for (;;) {
    // In this order: a process that ends after its verdict has written it before.
    const bool alive = runner_is_alive(deploy.folder);
    auto verdict = read_verdict(deploy.folder);
    if (!verdict) {
      return tl::unexpected(verdict.error());
    }
    if (*verdict) {
      answer.verdict = std::move(**verdict);
      answer.obeyed = answer.verdict.code == ExitCode::kAborted;
      withdraw_order(deploy.to, order);
      wait_until_free(place, deploy.to.deploy);
      return answer;
    }
    answer.end = !alive ? StopEnd::kDied : clock.stop_requested() ? StopEnd::kStopped : answer.end;
    if (answer.end == StopEnd::kEnded && clock.now() >= give_up) {
      answer.end = old_serves(place, deploy) ? StopEnd::kSafe : StopEnd::kTooLate;
    }
    if (answer.end != StopEnd::kEnded) {
      answer.step = step_of(place, deploy);
      return answer;
    }
    clock.wait(kBetweenAnswers);
  }
}

std::string step_of(const DeployPlace& place, const DeployInProgress& deploy) {
  std::string step;
  for (const JournalRecord& record : journal_of(place, deploy)) {
    const bool begins = record.kind == RecordKind::kIntent || record.kind == RecordKind::kUndo;
    step = begins ? record.step : record.kind == RecordKind::kBegin ? std::string() : step;
  }
  return step;
}

int finish_stopped(CommandContext& context, const DeployPlace& place,
                   const DeployInProgress& deploy, const StopAnswer& answer) {
  const std::string name = deploy.command + " " + deploy.to.deploy;
  Verdict verdict = begin_verdict(context.invocation().command, place, deploy);
  const std::string serving = serving_text(verdict);
  const std::string at = answer.step.empty() ? "" : " (at " + answer.step + ")";
  switch (answer.end) {
    case StopEnd::kEnded:
      verdict.headline = answer.verdict.headline;
      if (answer.obeyed) {
        return context.finish(verdict);
      }
      verdict.reason = name + " had ended before it saw this, with " +
                       std::to_string(static_cast<int>(answer.verdict.code));
      if (answer.verdict.code == ExitCode::kDone || answer.verdict.code == ExitCode::kDrainForced) {
        verdict.code = ExitCode::kPreflight;
        verdict.headline = "too late: " + name + " is done, " + serving;
        verdict.hint = "`bgctl rollback` goes back to the release before";
      } else if (answer.verdict.code == ExitCode::kRollbackFailed ||
                 answer.verdict.code == ExitCode::kInterrupted) {
        verdict.code = answer.verdict.code;
        verdict.hint = answer.verdict.hint;
      }
      return context.finish(verdict);
    case StopEnd::kSafe:
    case StopEnd::kStopped:
      verdict.headline =
          serving + "; " + name + " has been told to stop and takes back what it began" + at;
      if (answer.end == StopEnd::kStopped && !old_serves(place, deploy)) {
        verdict.code = ExitCode::kInterrupted;
      }
      return context.finish(verdict);
    case StopEnd::kTooLate:
      verdict.code = ExitCode::kPreflight;
      verdict.headline = "too late: " + name + " is past what it takes back" + at + ", " + serving;
      verdict.hint = "when it has ended, `bgctl rollback` goes back to the release before";
      return context.finish(verdict);
    case StopEnd::kDied:
      break;
  }
  return context.fail(Error{ExitCode::kInterrupted,
                            name + " has died without a verdict" + at + ": " + serving,
                            "`bgctl recover` finds out what is true and finishes or undoes it",
                            {}});
}

}  // namespace bluegreen
