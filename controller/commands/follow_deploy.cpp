// See follow_deploy.hpp.
#include "controller/commands/follow_deploy.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "controller/host/follow.hpp"
#include "controller/host/lock.hpp"
#include "controller/output/plain.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/screen.hpp"
#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

// Everything that a deploy prints without a terminal, both streams together: what SSM keeps.
constexpr std::size_t kOutputLimit = 1990;
constexpr std::size_t kProgressLimit = 900;

// Few lines, because SSM keeps few: the end of each step, no more than fit.
class ShortProgress : public EventSink {
 public:
  explicit ShortProgress(Writer& to) : sink_(counted_), to_(to) {}

  void emit(const Event& event) override {
    // A gate is the one step that somebody has to do something about while it lasts.
    const bool is_told = event.state == StepState::kDone || event.state == StepState::kFailed ||
                         event.state == StepState::kUndone ||
                         (event.state == StepState::kStarted && event.step == "gate");
    if (!is_told) {
      return;
    }
    const std::size_t before = counted_.text().size();
    Event shorter = event;
    constexpr std::size_t kLongestText = 90;
    if (shorter.text.size() > kLongestText) {
      shorter.text = shorter.text.substr(0, kLongestText) + "...";
    }
    sink_.emit(shorter);
    const std::string line = counted_.text().substr(before);
    if (written_ + line.size() <= kProgressLimit) {
      written_ += line.size();
      to_.write(line);
    }
  }
  std::size_t written() const { return written_; }

 private:
  StringWriter counted_;
  PlainSink sink_;
  Writer& to_;
  std::size_t written_ = 0;
};

}  // namespace

void wait_until_free(const DeployPlace& place, const std::string& id) {
  constexpr int kTries = 1000;
  for (int i = 0; i < kTries; ++i) {
    const auto holder = lock_holder(place.target.run_dir, place.lock_name());
    if (!holder || holder->id != id || is_housekeeping(*holder)) {
      return;
    }
    if (!is_locked(place.target.run_dir, place.lock_name())) {
      return;  // a holder file that a kill has left
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
}

int fail_briefly(CommandContext& context, Error error, std::size_t written) {
  constexpr std::size_t kLongest = 600;
  if (!context.json()) {
    // Harmless before it is cut: an escape is four bytes for one.
    const auto cut = [](const std::string& text, std::size_t room) {
      const std::string safe = printable(text, true);
      return safe.size() > room ? safe.substr(0, room) + "..." : safe;
    };
    error.what = cut(error.what, kLongest);
    error.hint = cut(error.hint, kLongest / 2);
    error.tail = printable(error.tail, true);
    const std::size_t rest = error.what.size() + error.hint.size() + written + 64;
    const std::size_t room = rest < kOutputLimit ? kOutputLimit - rest : 0;
    if (error.tail.size() > room) {
      error.tail.erase(0, error.tail.size() - room);
    }
  }
  return context.fail(error);
}

int show_verdict(CommandContext& context, const Verdict& verdict, std::size_t written) {
  if (context.json()) {
    return context.finish(verdict);
  }
  context.out().write(render_verdict(verdict, std::min(kVerdictLimit, kOutputLimit - written)));
  return static_cast<int>(verdict.code);
}

int follow_deploy(CommandContext& context, const DeployPlace& place, const std::string& id,
                  const std::string& folder) {
  const bool brief = !context.json() && ::isatty(STDERR_FILENO) == 0;
  ShortProgress progress(context.err());
  LiveSink live(context.err(), STDERR_FILENO);
  EventSink& plain = brief ? static_cast<EventSink&>(progress) : context.events();
  const bool is_live = !context.json() && can_be_live(STDERR_FILENO);
  auto verdict = follow(folder, is_live ? live : plain);
  if (!verdict) {
    Error error = verdict.error();
    error.what = "deploy " + id + ": " + error.what;
    return fail_briefly(context, std::move(error), progress.written());
  }
  wait_until_free(place, id);
  return show_verdict(context, *verdict, progress.written());
}

}  // namespace bluegreen
