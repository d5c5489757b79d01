// See driver.hpp.
#include "controller/deploy/driver.hpp"

#include <algorithm>

#include "controller/config/duration.hpp"
#include "controller/deploy/deploy_deadline.hpp"
#include "controller/deploy/headline.hpp"
#include "controller/deploy/steps/color.hpp"

namespace bluegreen {

namespace {

constexpr std::size_t kTailLines = 20;
constexpr std::size_t kKeptLines = 1000;

std::chrono::milliseconds since(Clock& clock, Deadline start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - start);
}

}  // namespace

Verdict Driver::run() {
  Facts plan = facts_of(deploy_.plan);
  note_beginning(plan, deploy_.world.clock);
  give_up_ = give_up_at(plan, deploy_.config, deploy_.world.clock);
  auto begun = deploy_.world.trace.append({RecordKind::kBegin, "", std::move(plan)});
  if (!begun) {
    return go_back(
        {&table_.front(), {ExitCode::kPreflight, begun.error().what, begun.error().hint, {}}});
  }
  return go(0);
}

Verdict Driver::finish(const std::vector<std::string>& begun, const std::vector<std::string>& done,
                       const Facts& began) {
  record_begun(begun);
  give_up_ = give_up_at(began, deploy_.config, deploy_.world.clock);
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].name == kFlip) {
      return go(i + 1, done);
    }
  }
  return go(table_.size());
}

Verdict Driver::unwind(const std::vector<std::string>& begun, const Error& cause, bool try_again) {
  try_again_ = try_again;
  record_begun(begun);
  return go_back({nullptr, cause});
}

void Driver::record_begun(const std::vector<std::string>& begun) {
  for (const StepRow& row : table_) {
    if (std::find(begun.begin(), begun.end(), row.name) != begun.end()) {
      begun_.push_back(&row);
    }
  }
}

Verdict Driver::go(std::size_t from, const std::vector<std::string>& done) {
  for (std::size_t i = from; i < table_.size(); ++i) {
    const StepRow& row = table_[i];
    const bool judged = row.on_failure == OnFailure::kUndo &&
                        std::find(done.begin(), done.end(), row.name) != done.end();
    Failure failure;
    if (!judged && !take(row, failure)) {
      return go_back(failure);
    }
  }
  Verdict verdict;
  verdict.code = deploy_.doubts.empty() ? ExitCode::kDone : ExitCode::kDrainForced;
  for (const std::string& doubt : deploy_.doubts) {
    verdict.reason += (verdict.reason.empty() ? "" : "; ") + doubt;
  }
  const std::string kept = describe_serving(verdict);
  verdict.headline = headline_done(deploy_, verdict) + kept;
  write_down(deploy_.world.trace, verdict, true);
  ended_ = true;
  return verdict;
}

bool Driver::take(const StepRow& row, Failure& failure) {
  if (row.on_failure == OnFailure::kUndo && deploy_.world.clock.stop_requested()) {
    failure = {&row, {ExitCode::kAborted, deploy_.world.clock.stop_reason(), {}, {}}};
    return false;
  }
  if (!row.step->applies(deploy_)) {
    emit(row, StepState::kSkipped, "");
    return true;
  }
  auto acted = act(row);
  if (acted) {
    return true;
  }
  const bool aborted = acted.error().code == ExitCode::kAborted;
  // Of the rows that go on, a drain alone may ask for the way back.
  const bool go_back = acted.error().code == ExitCode::kRolledBack;
  if (row.on_failure == OnFailure::kKeepGoing && !aborted && !go_back) {
    deploy_.doubts.push_back(std::string(row.name) + ": " + acted.error().what);
    return true;
  }
  failure = {&row, acted.error()};
  const bool late = acted.error().code == ExitCode::kGate && row.code == ExitCode::kUsage;
  failure.error.code = aborted ? ExitCode::kAborted : late ? ExitCode::kGate : row.code;
  if (aborted) {
    failure.error.what = deploy_.world.clock.stop_reason();
  }
  return false;
}

tl::unexpected<Error> Driver::out_of_time(const std::string& what) const {
  return fail(ExitCode::kGate, what + "the deploy was not over within " +
                                   duration_text(deploy_.config.deploy_within) +
                                   " (deploy_within)");
}

std::optional<Deadline> Driver::give_up_in(const StepRow& row) {
  if (row.on_failure != OnFailure::kUndo) {
    return std::nullopt;
  }
  if (has_begun(kFlip) && row.name != kFlip) {
    // A soak is bounded anyway: better its end than nobody who serves.
    auto old = deploy_.world.runtime.observe(deploy_.plan.active());
    if (!old || old->empty()) {
      return std::nullopt;
    }
  }
  return give_up_;
}

// The step, within its own limit and the deploy's.
Result<void> Driver::run_in_time(const StepRow& row, Deadline start) {
  Clock& clock = deploy_.world.clock;
  const std::optional<Deadline> give_up = give_up_in(row);
  if (give_up && start >= *give_up) {
    return out_of_time("");
  }
  const Deadline own = start + row.limit(deploy_.config);
  deploy_.deadline = give_up ? std::min(own, *give_up) : own;
  deploy_.world.runtime.end_by(deploy_.deadline);
  auto ran = row.step->run(deploy_);
  deploy_.world.runtime.end_by(std::nullopt);
  if (clock.stop_requested() ||
      (!ran && ran.error().code != ExitCode::kAborted && deploy_.deadline == own)) {
    return ran;
  }
  if (give_up && clock.now() >= *give_up) {
    return out_of_time(ran ? "" : ran.error().what + "; ");
  }
  if (!ran && ran.error().code == ExitCode::kAborted && clock.now() >= own) {
    return fail(row.code, "not done within " + duration_text(row.limit(deploy_.config)));
  }
  return ran;
}

Result<void> Driver::act(const StepRow& row) {
  Clock& clock = deploy_.world.clock;
  const std::string name(row.name);
  auto intent = deploy_.world.trace.append({RecordKind::kIntent, name, {}});
  if (!intent) {
    emit(row, StepState::kFailed, intent.error().what);
    return intent;
  }
  if (std::find(begun_.begin(), begun_.end(), &row) == begun_.end()) {
    begun_.push_back(&row);
  }
  emit(row, StepState::kStarted, row.step->plan(deploy_));
  const Deadline start = clock.now();
  auto ran = run_in_time(row, start);
  if (!ran) {
    emit(row, StepState::kFailed, ran.error().what, since(clock, start));
    // Not needed to recover: the missing kDone says it already.
    (void)deploy_.world.trace.append({RecordKind::kFailed, name, {{"why", ran.error().what}}});
    return ran;
  }
  emit(row, StepState::kDone, row.step->plan(deploy_), since(clock, start));
  // A record that is lost here costs a recovery that does the step again; the next intent will
  // fail too and stop the deploy.
  (void)deploy_.world.trace.append({RecordKind::kDone, name, deploy_.facts});
  return {};
}

bool Driver::has_begun(std::string_view name) const {
  return std::any_of(begun_.begin(), begun_.end(),
                     [name](const StepRow* row) { return row->name == name; });
}

// Whether the flip is in the world, so that taking back means moving traffic. When the region
// cannot be read it has to be assumed.
bool Driver::flip_counts() {
  for (const StepRow* row : begun_) {
    if (row->name == kFlip) {
      auto seen = row->step->observe(deploy_);
      return !seen || *seen == Presence::kPresent;
    }
  }
  return false;
}

Verdict Driver::go_back(const Failure& failure) {
  Verdict verdict;
  const bool flipped = flip_counts();
  verdict.reason = failure.error.what;
  verdict.hint = failure.error.hint;
  verdict.tail = failure.error.tail;
  verdict.code = failure.error.code;
  if (flipped && verdict.code != ExitCode::kAborted) {
    verdict.code = ExitCode::kRolledBack;
  }
  std::string trouble;
  const auto keep_log = [&] {
    if (!has_begun(kStart)) {
      return;
    }
    keep_container_log();
    if (verdict.tail.empty() && failure.error.code != ExitCode::kAborted) {
      verdict.tail = deploy_.world.runtime.log_tail(deploy_.plan.idle, kTailLines);
    }
  };
  if (!undo_all(trouble, keep_log)) {
    verdict.code = ExitCode::kRollbackFailed;
    keep_log();
  } else if (!trouble.empty()) {
    verdict.code = ExitCode::kInterrupted;  // the next deploy or `recover` finishes it
  }
  if (!trouble.empty()) {
    verdict.reason += "; " + trouble;
  }
  const std::string kept = describe_serving(verdict);
  verdict.headline =
      headline_failed(deploy_, verdict,
                      failure.row == nullptr ? std::string() : std::string(failure.row->name),
                      flipped) +
      kept;
  const bool whole = trouble.empty();
  if (!whole || !try_again_) {
    write_down(deploy_.world.trace, verdict, whole);
    ended_ = true;
  }
  return verdict;
}

bool Driver::undo_all(std::string& trouble, const std::function<void()>& before_start_is_undone) {
  for (auto it = begun_.rbegin(); it != begun_.rend(); ++it) {
    const StepRow& row = **it;
    if (row.name == kStart) {
      before_start_is_undone();
    }
    auto undone = undo(row);
    if (undone) {
      continue;
    }
    const std::string what = std::string(row.name) + " could not be undone: " + undone.error().what;
    trouble += (trouble.empty() ? "" : "; ") + what;
    if (row.name == kFlip) {
      return false;
    }
  }
  return true;
}

Result<void> Driver::undo(const StepRow& row) {
  Clock& clock = deploy_.world.clock;
  const std::string name(row.name);
  // A trace that cannot be written must not keep the old color from being put back.
  (void)deploy_.world.trace.append({RecordKind::kUndo, name, {}});
  const Deadline start = clock.now();
  deploy_.deadline = start + row.limit(deploy_.config);
  auto undone = row.step->undo(deploy_);
  if (!undone) {
    emit(row, StepState::kFailed, "undo: " + undone.error().what, since(clock, start));
    return undone;
  }
  (void)deploy_.world.trace.append({RecordKind::kUndone, name, {}});
  for (StepTime& time : times_) {
    if (time.name == name && time.status == "done") {
      time.status = word_of(StepState::kUndone);
    }
  }
  const std::chrono::milliseconds took = since(clock, start);
  if (row.name == kStart || row.name == kFlip) {
    deploy_.world.events.emit({deploy_.world.clock.wall(), name, StepState::kUndone, "", took});
  }
  return {};
}

void Driver::keep_container_log() {
  const std::string log = deploy_.world.runtime.log_tail(deploy_.plan.idle, kKeptLines);
  if (!log.empty()) {
    deploy_.world.trace.keep_log(text(deploy_.plan.idle) + ".log", log);
  }
}

void Driver::emit(const StepRow& row, StepState state, const std::string& text,
                  std::chrono::milliseconds took) {
  const std::string name(row.name);
  deploy_.world.events.emit({deploy_.world.clock.wall(), name, state, text, took});
  if (state != StepState::kStarted) {
    times_.push_back({name, took, std::string(word_of(state))});
  }
}

std::string Driver::describe_serving(Verdict& verdict) {
  const Plan& plan = deploy_.plan;
  verdict.command = plan.command;
  verdict.id = plan.id;
  verdict.app = plan.app;
  verdict.image = deploy_.pinned().pinned;
  verdict.previous = plan.active_before.release;
  verdict.trace = deploy_.world.trace.folder();
  verdict.steps = times_;
  if (const auto warning = deploy_.facts.find(kWarning);
      warning != deploy_.facts.end() && verdict.hint.empty()) {
    verdict.hint = warning->second;
  }
  auto now = deploy_.world.control.read(plan.app);
  if (!now) {
    return {};
  }
  verdict.active = text(now->route.active);
  verdict.release = labels_of(now->tables[shm::index_of(now->route.active)]).release;
  const std::string kept = kept_in_force(deploy_.world.control, *now);
  return kept.empty() ? kept : "; " + kept;
}

}  // namespace bluegreen
