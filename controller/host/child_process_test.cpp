// run_child against real programs of this machine.
#include "controller/host/child_process.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

ChildRequest shell(const std::string& script) {
  ChildRequest request;
  request.argv = {"sh", "-c", script};
  request.environment = child_environment();
  return request;
}

TEST_CASE("Child's output and exit code are values") {
  const auto exit = run_child(shell("echo out; echo err >&2; exit 7"));
  REQUIRE(exit);
  CHECK(exit->code == 7);
  CHECK(exit->out == "out\n");
  CHECK(exit->err == "err\n");
  CHECK(describe(*exit) == "exited with 7");
  CHECK_FALSE(exit->ok());
}

TEST_CASE("Child killed by a signal says which") {
  const auto exit = run_child(shell("kill -9 $$"));
  REQUIRE(exit);
  CHECK(exit->signal == 9);
  CHECK(describe(*exit) == "was killed by signal 9");
}

TEST_CASE("Program that does not exist is an error that names it") {
  ChildRequest request;
  request.argv = {"/no/such/program"};
  const auto exit = run_child(request);
  REQUIRE_FALSE(exit);
  CHECK(exit.error() == "cannot start /no/such/program: No such file or directory");
}

TEST_CASE("Child past its deadline is terminated with its whole group") {
  // Both the shell and its child ignore SIGTERM; the pid printed is the grandchild's.
  ChildRequest request = shell("trap '' TERM; sleep 100 & echo $!; wait");
  request.timeout = milliseconds(200);
  request.grace = milliseconds(200);
  const auto exit = run_child(request);
  REQUIRE(exit);
  CHECK(exit->timed_out);
  CHECK(exit->signal == SIGKILL);
  CHECK(exit->took < milliseconds(5000));
  const pid_t grandchild = std::atoi(exit->out.c_str());
  REQUIRE(grandchild > 1);
  // It is dead or a zombie that init has yet to reap: in both cases it holds no command line.
  const std::string path = "/proc/" + std::to_string(grandchild) + "/cmdline";
  char byte = 0;
  const shm::UniqueFd cmdline(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CHECK((!cmdline || ::read(cmdline.get(), &byte, 1) <= 0));
}

TEST_CASE("Grandchild that keeps the pipe open does not keep us") {
  const auto exit = run_child(shell("sleep 5 & exit 0"));
  REQUIRE(exit);
  CHECK(exit->ok());
  CHECK(exit->took < milliseconds(3000));
}

TEST_CASE("Output beyond its limit keeps the tail and says so") {
  ChildRequest request = shell("seq 1 100000");
  request.stdout_limit = 64;
  const auto exit = run_child(request);
  REQUIRE(exit);
  CHECK(exit->stdout_cut);
  CHECK(exit->out.size() == 64);
  CHECK(exit->out.ends_with("99999\n100000\n"));
}

TEST_CASE("Child has no input, a group of its own and no descriptor of ours") {
  const shm::UniqueFd leaked(::open("/", O_RDONLY));  // on purpose without close-on-exec
  REQUIRE(leaked);
  const auto exit =
      run_child(shell("cat; ls /proc/self/fd | wc -l; cut -d' ' -f1,5 /proc/$$/stat"));
  REQUIRE(exit);
  // 0, 1, 2 and the folder that ls reads; then a pid that equals its group.
  const std::string expected_fds = "4\n";
  CHECK(exit->out.substr(0, 2) == expected_fds);
  const std::string ids = exit->out.substr(2, exit->out.size() - 3);
  CHECK(ids.substr(0, ids.find(' ')) == ids.substr(ids.find(' ') + 1));
}

TEST_CASE("Child ignores and blocks no signal, whatever we do") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigset_t before_mask;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, &before_mask);
  const auto exit = run_child(shell("grep -E '^Sig(Ign|Blk):' /proc/self/status"));
  sigprocmask(SIG_SETMASK, &before_mask, nullptr);
  std::signal(SIGPIPE, before);
  REQUIRE(exit);
  const std::string ignored = "\nSigIgn:\t";
  REQUIRE(exit->out.rfind("SigBlk:\t0000000000000000" + ignored, 0) == 0);
  // Signals 32 and 33 are glibc's own, and ignored in whatever posix_spawn starts.
  constexpr unsigned long long kOfGlibc = 3ULL << 31U;
  const std::string mask = exit->out.substr(exit->out.find(ignored) + ignored.size());
  CHECK((std::stoull(mask, nullptr, 16) & ~kOfGlibc) == 0);
}

TEST_CASE("Inherited descriptor holds a lock in the child for as long as it lives") {
  char name[] = "/tmp/child_process_test.XXXXXX";
  const shm::UniqueFd mine(::mkostemp(name, O_CLOEXEC));
  REQUIRE(::flock(mine.get(), LOCK_EX | LOCK_NB) == 0);
  ChildRequest request = shell("test -e /proc/self/fd/3 && flock --nonblock 3 && echo held");
  request.inherited_fd = mine.get();
  const auto exit = run_child(request);
  ::unlink(name);
  REQUIRE(exit);
  CHECK(exit->out == "held\n");
}

TEST_CASE("Environment without HOME gets one, and loses what it must not have") {
  ::setenv("CHILD_PROCESS_TEST", "x", 1);
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  ::unsetenv("HOME");
  ::unsetenv("DOCKER_CONFIG");
  const Environment environment = child_environment({"CHILD_PROCESS_TEST"});
  ::setenv("HOME", home.c_str(), 1);
  CHECK(value_in(environment, "CHILD_PROCESS_TEST").empty());
  CHECK_FALSE(value_in(environment, "HOME").empty());
  CHECK(value_in(environment, "DOCKER_CONFIG") ==
        std::string(value_in(environment, "HOME")) + "/.docker");
}

}  // namespace
}  // namespace bluegreen
