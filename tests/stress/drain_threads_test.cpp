// The drain protocol between threads, for the thread sanitizer: the same stage and the same file
// locks (an open file description is a thread's as well as a process's). A thread is stopped or
// dies where it pauses; dying, it leaves its gauges behind and closes its descriptor. See
// stage.hpp.
#include <sched.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "tests/stress/stage.hpp"

using namespace bluegreen::stress;

namespace {

enum class Order : std::uint8_t { kRun, kStop, kDie };

class Threads final : public Crew {
 public:
  explicit Threads(Stage& stage) : stage_(stage) {}
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() override {
    for (std::uint32_t worker = 0; worker < kMaxCrew; ++worker) {
      Threads::kill(worker);
    }
  }

  void start(std::uint32_t worker) override {
    orders_[worker] = Order::kRun;
    threads_[worker] = std::thread([this, worker] {
      stage_.work(worker, [this, worker] {
        while (orders_[worker] == Order::kStop) {
          stands_[worker] = true;
          ::sched_yield();
        }
        stands_[worker] = false;
        ::sched_yield();
        return orders_[worker] != Order::kDie;
      });
      gone_[worker] = true;
    });
  }
  void stop(std::uint32_t worker) override {
    orders_[worker] = Order::kStop;
    while (!stands_[worker] && !gone_[worker]) {
      ::sched_yield();
    }
  }
  void go_on(std::uint32_t worker) override { orders_[worker] = Order::kRun; }
  void kill(std::uint32_t worker) override {
    if (threads_[worker].joinable()) {
      orders_[worker] = Order::kDie;
      threads_[worker].join();
      gone_[worker] = false;
    }
  }

 private:
  Stage& stage_;
  std::thread threads_[kMaxCrew];
  std::atomic<Order> orders_[kMaxCrew] = {};
  std::atomic<bool> stands_[kMaxCrew] = {};
  std::atomic<bool> gone_[kMaxCrew] = {};
};

}  // namespace

TEST_CASE("drain: no thread uses a color that was read empty, under the thread sanitizer too") {
  Stage stage(3, Fault::kNone);
  const bool full = std::getenv("BLUEGREEN_FULL") != nullptr;
  {
    Threads crew(stage);
    stage.run(crew, Clock::now() + std::chrono::seconds(full ? 30 : 3), false);
  }
  std::cout << "drain between threads: " << stage.figures() << '\n';
  CHECK(stage.violations() == 0);
  CHECK(stage.board().torn == 0);
  CHECK(stage.drains() >= 20);
  CHECK(stage.kills() > 0);
  CHECK(stage.stops() > 0);
}

TEST_CASE("drain: a thread that does not look again is found out") {
  Stage stage(3, Fault::kNoLookAgain);
  Threads crew(stage);
  stage.run(crew, Clock::now() + std::chrono::seconds(20), true);
  CHECK(stage.violations() > 0);
}
