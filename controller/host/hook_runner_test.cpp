// HookRunner against real shells: what they get, what they leave, how they are ended.
#include "controller/host/hook_runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "controller/host/child_process.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class HookFolder {
 public:
  HookFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "hook-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~HookFolder() { std::filesystem::remove_all(path_); }
  HookFolder(const HookFolder&) = delete;
  HookFolder& operator=(const HookFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Hooks {
  HookFolder folder;
  bool stop = false;
  std::vector<std::string> lines;
  HookRunner runner{folder.path(), "app-1-app", [this] { return stop; }};

  HookRun script(const std::string& text, milliseconds timeout = milliseconds(20'000)) {
    return {
        {"sh", "-c", text}, {"BLUEGREEN_APP=app"}, timeout, true, [this](const std::string& line) {
          lines.push_back(line);
        }};
  }
};

// Ended, or a zombie that nobody has waited for yet.
bool process_ended(const std::string& pid) {
  const auto exit = run_child({.argv = {"sh", "-c", "cut -d' ' -f3 /proc/" + pid + "/stat"},
                               .environment = child_environment()});
  return exit && (exit->out.empty() || exit->out == "Z\n");
}

void await_end_of(const std::string& pid) {
  const auto until = steady_clock::now() + milliseconds(5'000);
  while (!process_ended(pid)) {
    REQUIRE(steady_clock::now() < until);
  }
}

TEST_CASE("Hook gets a clean environment and its output comes line by line") {
  Hooks hooks;
  ::setenv("BGCTL_SECRET_OF_OURS", "x", 1);
  const auto done =
      hooks.runner.run(hooks.script("echo one; echo two >&2; env | grep -c SECRET; "
                                    "echo $BLUEGREEN_APP; printf last"));
  ::unsetenv("BGCTL_SECRET_OF_OURS");
  REQUIRE(done);
  CHECK(hooks.lines == std::vector<std::string>{"one", "two", "0", "app", "last"});
}

TEST_CASE("Failed hook says how it ended, with its last lines") {
  Hooks hooks;
  const auto done = hooks.runner.run(hooks.script("seq 1 30; exit 7"));
  REQUIRE_FALSE(done);
  CHECK(done.error().what == "sh exited with 7");
  CHECK(done.error().tail.substr(0, 6) == "11\n12\n");
}

TEST_CASE("Hook that hangs is killed with its group at its limit") {
  Hooks hooks;
  const auto begin = steady_clock::now();
  const auto done = hooks.runner.run(
      hooks.script("trap '' TERM; (trap '' TERM; sleep 100) & echo $!; wait", milliseconds(200)));
  REQUIRE_FALSE(done);
  CHECK(done.error().what.find("did not end within") != std::string::npos);
  CHECK(steady_clock::now() - begin < milliseconds(8'000));
  REQUIRE(hooks.lines.size() == 1);
  await_end_of(hooks.lines.front());
}

TEST_CASE("Child that keeps a hook's output open neither delays nor survives it") {
  Hooks hooks;
  const auto begin = steady_clock::now();
  REQUIRE(hooks.runner.run(hooks.script("sleep 100 & echo $!")));
  CHECK(steady_clock::now() - begin < milliseconds(5'000));
  REQUIRE(hooks.lines.size() == 1);
  await_end_of(hooks.lines.front());
}

TEST_CASE("Request to stop ends a hook, but not one that heeds none") {
  Hooks hooks;
  hooks.stop = true;
  const auto stopped = hooks.runner.run(hooks.script("sleep 100"));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == ExitCode::kAborted);
  HookRun calm = hooks.script("sleep 0.3; echo done");
  calm.stoppable = false;
  REQUIRE(hooks.runner.run(calm));
  CHECK(hooks.lines == std::vector<std::string>{"done"});
}

TEST_CASE("Hook of a bgctl that was killed is found and ended") {
  Hooks hooks;
  REQUIRE(hooks.runner.end_orphan());  // there has never been one
  // A shell that has started its own hook the same way, and is not ours.
  const std::string lock = hooks.folder.path() + "/app-1-app.hook";
  shm::UniqueFd fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const auto orphan =
      run_child({.argv = {"sh", "-c", "flock -x 3; setsid sleep 100 >/dev/null 2>&1 & echo $!"},
                 .environment = child_environment(),
                 .inherited_fd = fd.get()});
  REQUIRE(orphan);
  fd.reset();
  const std::string pid = orphan->out.substr(0, orphan->out.size() - 1);
  const shm::UniqueFd other(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_EX | LOCK_NB) != 0);
  // We have the file open too, and live on.
  REQUIRE(hooks.runner.end_orphan());
  await_end_of(pid);
}

}  // namespace
}  // namespace bluegreen
