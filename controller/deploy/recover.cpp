// See recover.hpp.
#include "controller/deploy/recover.hpp"

#include <algorithm>

#include "controller/deploy/contract.hpp"
#include "controller/deploy/driver.hpp"
#include "controller/deploy/headline.hpp"
#include "controller/deploy/steps/flip.hpp"
#include "controller/deploy/steps/hooks.hpp"

namespace bluegreen {

namespace {

// What the last attempt in a journal says; a retry with the same id begins anew in the same file.
struct Attempt {
  Facts plan;  // empty: it had not begun
  Facts facts;
  std::vector<std::string> begun;
  std::vector<std::string> done;
  Facts verdict;
};

Attempt last_attempt(const std::vector<JournalRecord>& records) {
  Attempt attempt;
  for (const JournalRecord& record : records) {
    switch (record.kind) {
      case RecordKind::kBegin:
        attempt = Attempt{};
        attempt.plan = record.data;
        break;
      case RecordKind::kIntent:
        attempt.begun.push_back(record.step);
        break;
      case RecordKind::kDone:
        attempt.facts = record.data;
        attempt.done.push_back(record.step);
        break;
      case RecordKind::kVerdict:
        attempt.verdict = record.data;
        break;
      case RecordKind::kFailed:
      case RecordKind::kUndo:
      case RecordKind::kUndone:
        break;
    }
  }
  return attempt;
}

Verdict never_begun(const std::string& app, const TraceSummary& summary,
                    const std::string& folder) {
  Verdict verdict;
  verdict.code = ExitCode::kInterrupted;
  verdict.command = summary.command;
  verdict.id = summary.id;
  verdict.app = app;
  verdict.headline =
      summary.command + " " + summary.id + " was interrupted before anything had moved";
  verdict.trace = folder;
  return verdict;
}

// Why a deploy whose new color is active cannot be finished; empty when it can. Only a color that
// runs is worth going back to.
Result<std::string> why_not_finish(Deploy& deploy) {
  auto fresh = deploy.world.runtime.observe(deploy.plan.idle);
  auto old = deploy.world.runtime.observe(deploy.plan.active());
  if (!fresh || !old) {
    return tl::unexpected(fresh ? old.error() : fresh.error());
  }
  if (fresh->empty() && !old->empty()) {
    return text(deploy.plan.idle) + " has ended while nobody watched";
  }
  return std::string();
}

// None: undone, and about to be tried again.
std::optional<Verdict> undone(Driver driver, Deploy& deploy, const Attempt& attempt,
                              const std::string& why, bool own) {
  Verdict verdict = driver.unwind(attempt.begun, {ExitCode::kInterrupted, why, {}, {}}, own);
  if (!driver.has_ended()) {
    return std::nullopt;
  }
  run_on_failure(deploy, verdict);
  return verdict;
}

Result<std::optional<Verdict>> settle(Deploy& deploy, const Attempt& attempt, bool own) {
  if (deploy.plan.command == kContract) {
    return undone(Driver(deploy), deploy, attempt, "its process has died", own);
  }
  auto flipped = FlipStep().observe(deploy);
  if (!flipped) {
    return tl::unexpected(flipped.error());
  }
  Driver driver(deploy);
  std::string why = "its process has died";
  if (*flipped == Presence::kPresent) {
    auto obstacle = why_not_finish(deploy);
    if (!obstacle) {
      return tl::unexpected(obstacle.error());
    }
    if (obstacle->empty()) {
      return driver.finish(attempt.begun, attempt.done, attempt.plan);
    }
    why = *obstacle;
  }
  return undone(driver, deploy, attempt, why, own);
}

// The verdict that was written, or none when there was nothing to do.
Result<std::optional<Verdict>> recover_one(RecoveryWorld& world, const AppConfig& config,
                                           const TraceSummary& summary, TracePort& trace,
                                           bool own) {
  auto records = trace.records();
  if (!records) {
    return tl::unexpected(records.error());
  }
  const Attempt attempt = last_attempt(*records);
  if (!attempt.verdict.empty() && is_whole(attempt.verdict)) {
    Verdict verdict = verdict_from(attempt.verdict);
    const bool tried_again = own && verdict.code == ExitCode::kInterrupted;
    if (summary.verdict || tried_again) {
      return std::nullopt;
    }
    (void)trace.write_verdict(verdict);
    return verdict;
  }
  if (attempt.plan.empty()) {
    if (own || summary.verdict) {
      return std::nullopt;
    }
    Verdict verdict = never_begun(config.name, summary, trace.folder());
    write_down(trace, verdict, true);
    return verdict;
  }
  auto plan = plan_from(attempt.plan);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  World one{.control = world.control,
            .telemetry = world.telemetry,
            .runtime = world.runtime,
            .clock = world.clock,
            .hooks = world.hooks,
            .trace = trace,
            .events = world.events,
            .control_id = world.control_id};
  Deploy deploy{.world = one, .config = config, .plan = std::move(*plan), .facts = attempt.facts};
  return settle(deploy, attempt, own);
}

}  // namespace

Result<std::vector<Verdict>> recover(RecoveryWorld& world, const AppConfig& config,
                                     const std::string& own) {
  // We hold the lock, so whatever hook still runs has nobody who waits for it.
  if (auto ended = world.hooks.end_orphan(); !ended) {
    return tl::unexpected(ended.error());
  }
  auto traces = world.traces.list(config.name);
  if (!traces) {
    return tl::unexpected(traces.error());
  }
  std::vector<Verdict> verdicts;
  for (const TraceSummary& summary : *traces) {
    const bool is_last = &summary == &traces->front();
    if (summary.verdict && !(is_last && summary.verdict->code == ExitCode::kInterrupted)) {
      continue;
    }
    if (summary.alive && summary.id != own) {
      continue;  // it will find the lock taken
    }
    auto trace = world.traces.open(config.name, summary.id);
    if (!trace) {
      return tl::unexpected(trace.error());
    }
    auto verdict = recover_one(world, config, summary, **trace, summary.id == own);
    if (!verdict) {
      return within("recovering deploy " + summary.id, verdict.error());
    }
    if (verdict->has_value()) {
      verdicts.push_back(std::move(**verdict));
    }
  }
  return verdicts;
}

}  // namespace bluegreen
