// The drain protocol between real processes: SIGKILL, SIGSTOP and SIGCONT at random. See stage.hpp.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "tests/stress/stage.hpp"

using namespace bluegreen::stress;

namespace {

class Processes final : public Crew {
 public:
  explicit Processes(Stage& stage) : stage_(stage) {}
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  ~Processes() override {
    for (std::uint32_t worker = 0; worker < kMaxCrew; ++worker) {
      Processes::kill(worker);
    }
  }

  void start(std::uint32_t worker) override {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) {
        stage_.work(worker, [] {
          ::sched_yield();
          return true;
        });
      }
      ::_exit(0);
    }
    pids_[worker] = child;
  }
  // Returns when it has really stopped: a signal to a running process takes its time.
  void stop(std::uint32_t worker) override {
    ::kill(pids_[worker], SIGSTOP);
    REQUIRE(::waitpid(pids_[worker], nullptr, WUNTRACED) == pids_[worker]);
  }
  void go_on(std::uint32_t worker) override { ::kill(pids_[worker], SIGCONT); }
  void kill(std::uint32_t worker) override {
    if (pids_[worker] != 0) {
      ::kill(pids_[worker], SIGKILL);
      ::waitpid(pids_[worker], nullptr, 0);
      pids_[worker] = 0;
    }
  }

 private:
  Stage& stage_;
  pid_t pids_[kMaxCrew] = {};
};

std::chrono::milliseconds time_for(int normal) {
  // `scripts/test --full` asks for the long run.
  return std::chrono::milliseconds(std::getenv("BLUEGREEN_FULL") != nullptr ? 10 * normal : normal);
}

}  // namespace

TEST_CASE("drain: no process uses a color that was read empty, killed or stopped as they may be") {
  Stage stage(4, Fault::kNone);
  {
    Processes crew(stage);
    stage.run(crew, Clock::now() + time_for(4000), false);
  }
  std::cout << "drain between processes: " << stage.figures() << '\n';
  CHECK(stage.violations() == 0);
  CHECK(stage.board().torn == 0);
  CHECK(stage.drains() >= 100);
  CHECK(stage.kills() > 0);
  CHECK(stage.stops() > 0);
  CHECK(stage.board().withdrawn > 0);
}

TEST_CASE("drain: a process that does not look again is found out") {
  Stage stage(4, Fault::kNoLookAgain);
  Processes crew(stage);
  stage.run(crew, Clock::now() + std::chrono::seconds(20), true);
  CHECK(stage.violations() > 0);
}

TEST_CASE("drain: taking a stopped process for dead is found out") {
  Stage stage(4, Fault::kStoppedCountsAsDead);
  Processes crew(stage);
  stage.run(crew, Clock::now() + std::chrono::seconds(20), true);
  CHECK(stage.violations() > 0);
}
