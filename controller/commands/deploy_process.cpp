// See deploy_process.hpp.
#include "controller/commands/deploy_process.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "controller/host/detach.hpp"
#include "controller/host/follow.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/plain.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/screen.hpp"
#include "controller/output/verdict.hpp"
#include "shm/text_field.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

// Everything that a deploy prints without a terminal, both streams together: what SSM keeps.
constexpr std::size_t kOutputLimit = 1990;
constexpr std::size_t kProgressLimit = 900;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Few lines, because SSM keeps few: the end of each step, no more than fit.
class ShortProgress : public EventSink {
 public:
  explicit ShortProgress(Writer& to) : sink_(counted_), to_(to) {}

  void emit(const Event& event) override {
    if (event.state != StepState::kDone && event.state != StepState::kFailed &&
        event.state != StepState::kUndone) {
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

// The log's last lines give way until everything fits.
void fit(Verdict& verdict, std::size_t written) {
  while (!verdict.tail.empty() && render_verdict(verdict).size() + written > kOutputLimit) {
    const std::size_t line = verdict.tail.find('\n');
    verdict.tail.erase(0, line == std::string::npos ? verdict.tail.size() : line + 1);
  }
}

std::string new_id() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  unsigned random = 0;
  if (::getrandom(&random, sizeof(random), 0) != static_cast<ssize_t>(sizeof(random))) {
    random = static_cast<unsigned>(::getpid());
  }
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d%02d%02dT%02d%02d%02dZ-%06x", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                random & 0xFFFFFFU);
  return text.data();
}

// A script that SSM runs may deploy and then roll back: two ids out of one.
Result<std::string> choose_id(const CommandContext& context, const Wish& wish) {
  std::string id = context.option("--id").value_or("");
  if (id.empty()) {
    id = environment("SSM_COMMAND_ID");
    if (!id.empty() && wish.command != "deploy") {
      id += "-" + wish.command;
    }
  }
  if (id.empty()) {
    return new_id();
  }
  if (!shm::is_app_name(id)) {
    return fail(ExitCode::kUsage,
                "--id: found \"" + printable(id) +
                    "\", expected 1 to 63 letters, digits, '-', '_' and '.', not beginning with "
                    "'-' or '.'");
  }
  return id;
}

std::string who_asked() {
  const std::string ssm = environment("SSM_COMMAND_ID");
  if (!ssm.empty()) {
    return "ssm " + ssm;
  }
  const std::string sudo = environment("SUDO_USER");
  return sudo.empty() ? "uid " + std::to_string(::getuid()) : sudo;
}

enum class Found { kNothing, kRunning, kEnded };

struct Known {
  Found what = Found::kNothing;
  Verdict verdict;
};

// What is known about a deploy with this id.
Result<Known> look_up(const std::string& folder, const Wish& wish, const std::string& id) {
  auto request = read_request(folder);
  if (!request) {
    return tl::unexpected(request.error());
  }
  if (!*request) {
    return Known{};
  }
  if ((*request)->command != wish.command || (*request)->image != wish.image) {
    return fail(ExitCode::kUsage, "--id " + id + " was a " + (*request)->command + " " +
                                      printable((*request)->image) + ", this is a " + wish.command +
                                      " " + printable(wish.image) + ": expected another id");
  }
  auto verdict = read_verdict(folder);
  if (!verdict) {
    return tl::unexpected(verdict.error());
  }
  if (*verdict && (*verdict)->code != ExitCode::kLocked &&
      (*verdict)->code != ExitCode::kInterrupted) {
    return Known{Found::kEnded, std::move(**verdict)};
  }
  if (!*verdict && runner_is_alive(folder)) {
    return Known{Found::kRunning, {}};
  }
  return Known{};
}

// Somebody else's lock ends the command before anything is written.
Result<void> nobody_else(const DeployPlace& place, const std::string& id) {
  const std::string& run_dir = place.target.run_dir;
  auto lock = HostLock::acquire(run_dir, place.lock_name(), "application " + place.app->name,
                                LockHolder{0, "deploy", id, {}}, milliseconds(0), false);
  return lock ? Result<void>{} : tl::unexpected(lock.error());
}

std::vector<std::string> process_arguments(const CommandContext& context, const DeployPlace& place,
                                           const std::string& id) {
  std::vector<std::string> arguments = {
      "run-deploy", id, "--config", context.global().config, "--app", place.app->name};
  if (!context.global().control.empty()) {
    arguments.insert(arguments.end(), {"--control", context.global().control});
  }
  if (!context.global().telemetry.empty()) {
    arguments.insert(arguments.end(), {"--telemetry", context.global().telemetry});
  }
  return arguments;
}

// The process has another working directory.
std::string absolute(const std::string& path) {
  if (path.empty() || path.front() == '/') {
    return path;
  }
  std::array<char, 4096> folder{};
  return ::getcwd(folder.data(), folder.size()) == nullptr
             ? path
             : std::string(folder.data()) + "/" + path;
}

Result<void> start_process(const CommandContext& context, const DeployPlace& place,
                           const Wish& wish, const std::string& id, const std::string& folder) {
  auto free = nobody_else(place, id);
  if (!free) {
    return free;
  }
  auto made =
      make_trace(folder, {wish.command, wish.image, who_asked(), std::chrono::system_clock::now()});
  if (!made) {
    return made;
  }
  auto discarded = discard_verdict(folder);
  if (!discarded) {
    return discarded;
  }
  DetachRequest request;
  request.program = own_program();
  request.arguments = process_arguments(context, place, id);
  for (std::string& argument : request.arguments) {
    const bool is_path = &argument != request.arguments.data() &&
                         ((&argument)[-1] == "--config" || (&argument)[-1] == "--control" ||
                          (&argument)[-1] == "--telemetry");
    argument = is_path ? absolute(argument) : argument;
  }
  request.log = folder + "/log";
  request.unit = "bgctl-" + unit_word(place.app->name + "-" + id);
  return start_detached(request);
}

// The process writes its verdict and frees the lock just after: whoever calls the next command when
// this one has returned must not find it taken.
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

// The same limit for what ends without a verdict: an error quotes logs and answers of others.
int fail_briefly(CommandContext& context, Error error, std::size_t written) {
  constexpr std::size_t kLongest = 700;
  if (!context.json()) {
    error.what = error.what.size() > kLongest ? error.what.substr(0, kLongest) + "..." : error.what;
    error.hint =
        error.hint.size() > kLongest / 2 ? error.hint.substr(0, kLongest / 2) + "..." : error.hint;
    const std::size_t rest = error.what.size() + error.hint.size() + written + 64;
    const std::size_t room = rest < kOutputLimit ? kOutputLimit - rest : 0;
    if (error.tail.size() > room) {
      error.tail.erase(0, error.tail.size() - room);
    }
  }
  return context.fail(error);
}

int show(CommandContext& context, Verdict verdict, std::size_t written) {
  if (!context.json()) {
    fit(verdict, written);
  }
  return context.finish(verdict);
}

int follow_to_the_end(CommandContext& context, const DeployPlace& place, const std::string& id,
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
  return show(context, std::move(*verdict), progress.written());
}

}  // namespace

std::string DeployPlace::lock_name() const {
  return app_lock_name(control->id(), app->name);
}

Result<DeployPlace> open_place(CommandContext& context, ControlAccess access) {
  DeployPlace place;
  auto target = context.target();
  if (!target) {
    return tl::unexpected(target.error());
  }
  auto config = context.config();
  if (!config) {
    return tl::unexpected(config.error());
  }
  auto app = context.app_config();
  if (!app) {
    return tl::unexpected(app.error());
  }
  place.target = std::move(*target);
  place.config = *config;
  place.app = *app;
  auto control = ControlFile::open(place.target.control, access, place.target.run_dir);
  if (!control) {
    return tl::unexpected(control.error());
  }
  place.control = std::move(*control);
  const std::vector<std::string> known = place.control->apps();
  if (std::find(known.begin(), known.end(), place.app->name) == known.end()) {
    return fail(ExitCode::kPreflight,
                place.target.control + ": there is no application " + place.app->name + " in it",
                "add it: bgctl init --app " + place.app->name);
  }
  auto readable = place.control->read(place.app->name);
  if (!readable) {
    return tl::unexpected(readable.error());
  }
  return place;
}

int run_in_foreground(CommandContext& context, const Wish& wish) {
  // It changes nothing itself, but what its process cannot open is told here and now.
  auto place = open_place(context, ControlAccess::kChange);
  if (!place) {
    return fail_briefly(context, place.error(), 0);
  }
  auto id = choose_id(context, wish);
  if (!id) {
    return context.fail(id.error());
  }
  const std::string folder = trace_folder(place->config->trace_dir, place->app->name, *id);
  auto known = look_up(folder, wish, *id);
  if (!known) {
    return context.fail(known.error());
  }
  if (known->what == Found::kEnded) {
    return show(context, std::move(known->verdict), 0);
  }
  if (known->what == Found::kNothing) {
    auto started = start_process(context, *place, wish, *id, folder);
    if (!started) {
      return fail_briefly(context, started.error(), 0);
    }
  }
  return follow_to_the_end(context, *place, *id, folder);
}

}  // namespace bluegreen
