// See deploy_process.hpp.
#include "controller/commands/deploy_process.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "controller/commands/follow_deploy.hpp"
#include "controller/commands/who_asked.hpp"
#include "controller/host/detach.hpp"
#include "controller/host/lock.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "shm/text_field.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

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

Result<void> start_process(const CommandContext& context, const DeployPlace& place,
                           const Wish& wish, const std::string& id, const std::string& folder) {
  auto free = nobody_else(place, id);
  if (!free) {
    return free;
  }
  auto made =
      make_trace(folder, {wish.command, wish.image, who_asked(context.option("--by").value_or("")),
                          from_where(context), std::chrono::system_clock::now(), wish.pause_before,
                          wish.pause_for});
  if (!made) {
    return made;
  }
  auto discarded = discard_verdict(folder);
  if (!discarded) {
    return discarded;
  }
  DetachRequest request;
  request.program = own_program();
  request.arguments = place_arguments(context.global(), place.app->name);
  request.arguments.insert(request.arguments.begin(), {"run-deploy", id});
  request.log = folder + "/log";
  request.unit = "bgctl-" + unit_word(place.app->name + "-" + id);
  return start_detached(request);
}

}  // namespace

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
    return show_verdict(context, known->verdict, 0);
  }
  if (known->what == Found::kNothing) {
    auto started = start_process(context, *place, wish, *id, folder);
    if (!started) {
      return fail_briefly(context, started.error(), 0);
    }
  }
  return follow_deploy(context, *place, *id, folder);
}

}  // namespace bluegreen
