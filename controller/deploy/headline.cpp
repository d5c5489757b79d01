// See headline.hpp.
#include "controller/deploy/headline.hpp"

#include <charconv>

#include "controller/deploy/contract.hpp"

namespace bluegreen {

namespace {

std::string subject(const Plan& plan) {
  if (plan.command == kContract) {
    return "contract of " + plan.app;
  }
  return (plan.command == "rollback" ? "rollback to " : "deploy of ") + plan.release;
}

}  // namespace

std::string serving_text(const Verdict& verdict) {
  if (verdict.active.empty()) {
    return "what serves is unknown, the control region cannot be read";
  }
  return verdict.active + " serves " +
         (verdict.release.empty() ? "nothing published yet" : verdict.release);
}

std::string headline_done(const Deploy& deploy, const Verdict& verdict) {
  const Plan& plan = deploy.plan;
  std::string line = serving_text(verdict);
  if (plan.command == kContract) {
    return "contract of " + plan.app + " is done: " + line +
           ", and no rollback goes to a release before it any more";
  }
  if (!plan.active_before.release.empty()) {
    line += ", before: " + plan.active_before.release + " on " + text(plan.active());
  }
  if (plan.command == "rollback") {
    line = "rolled back: " + line;
  }
  if (deploy.leftover) {
    line += ", which stays up";
    if (deploy.leftover->keep.count() >= 1000) {
      line += " " + std::to_string(deploy.leftover->keep.count() / 1000) + "s";
    }
    line += deploy.leftover->only_drained ? " until its requests have ended" : " for a rollback";
  }
  if (verdict.code == ExitCode::kDrainForced) {
    line += "; the drain was forced or could not be proven";
  }
  return line;
}

std::string headline_failed(const Deploy& deploy, const Verdict& verdict, const std::string& step,
                            bool flipped) {
  std::string line = subject(deploy.plan);
  if (verdict.code == ExitCode::kRollbackFailed) {
    return line +
           " FAILED AND COULD NOT BE TAKEN BACK, an operator is needed: " + serving_text(verdict);
  }
  if (step.empty()) {
    line += " was interrupted";
  } else if (verdict.code == ExitCode::kAborted) {
    line += " was stopped on request at " + step;
  } else {
    line += " failed at " + step;
  }
  if (flipped) {
    line += " and was rolled back";
  } else if (step.empty() && deploy.plan.command != kContract) {
    line += " and undone";
  }
  if (verdict.code == ExitCode::kInterrupted && !step.empty()) {
    line += ", not all of it could be undone";
  }
  return line + ": " + serving_text(verdict);
}

void write_down(TracePort& trace, const Verdict& verdict, bool whole) {
  Facts facts{{"whole", whole ? "yes" : "no"},
              {"code", std::to_string(static_cast<int>(verdict.code))},
              {"command", verdict.command},
              {"id", verdict.id},
              {"app", verdict.app},
              {"headline", verdict.headline},
              {"active", verdict.active},
              {"release", verdict.release},
              {"previous", verdict.previous},
              {"image", verdict.image},
              {"trace", verdict.trace},
              {"reason", verdict.reason},
              {"hint", verdict.hint},
              {"tail", verdict.tail}};
  (void)trace.append({RecordKind::kVerdict, "", std::move(facts)});
  (void)trace.write_verdict(verdict);
}

bool is_whole(const Facts& verdict_facts) {
  const auto found = verdict_facts.find("whole");
  return found == verdict_facts.end() || found->second != "no";
}

Verdict verdict_from(const Facts& facts) {
  const auto get = [&facts](const char* key) {
    const auto found = facts.find(key);
    return found == facts.end() ? std::string() : found->second;
  };
  Verdict verdict;
  int code = static_cast<int>(ExitCode::kInterrupted);
  const std::string number = get("code");
  std::from_chars(number.data(), number.data() + number.size(), code);
  verdict.code = static_cast<ExitCode>(code);
  verdict.command = get("command");
  verdict.id = get("id");
  verdict.app = get("app");
  verdict.headline = get("headline");
  verdict.active = get("active");
  verdict.release = get("release");
  verdict.previous = get("previous");
  verdict.image = get("image");
  verdict.trace = get("trace");
  verdict.reason = get("reason");
  verdict.hint = get("hint");
  verdict.tail = get("tail");
  return verdict;
}

}  // namespace bluegreen
