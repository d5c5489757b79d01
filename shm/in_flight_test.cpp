// The in-flight protocol under stress, over the real headers and between real processes: once the
// gauges of all live slots read 0 for a closed color, nobody is inside until it is opened again.
//
// Workers (forked, one slot each) run requests in a loop; the controller (the test) flips, closes
// the old color, drains it, marks it as drained for a moment and looks whether anybody was inside;
// now and then it stops a worker for a while, or kills one and starts another in its slot. The
// same stress without the second look must find violations, or it could not fail.
#include "shm/in_flight.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <random>

#include "shm/sample_regions.hpp"
#include "shm/worker_slots.hpp"

using namespace bluegreen::shm;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWorkers = 3;

// What the test itself shares with its workers, outside the regions.
struct Scoreboard {
  std::atomic<std::uint32_t> drained[2];  // the color is closed and its gauges have read 0
  std::atomic<std::uint64_t> violations;  // requests that were inside a drained color
  std::atomic<std::uint64_t> requests;
  std::atomic<std::uint64_t> withdrawn;
  std::atomic<std::uint64_t> gave_up;
};

class Stage {
 public:
  explicit Stage(bool look_again) : look_again_(look_again), path_(folder_.file("telemetry")) {
    const auto image = sample::make_zeroed<TelemetryRegion>();
    image->header = make_header(kTelemetryKind, 7, 1);
    REQUIRE(create_region_file(path_.c_str(), image.get(), sizeof(*image), {}) == 0);
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(telemetry_.map(fd_.get(), sizeof(TelemetryRegion), PROT_READ | PROT_WRITE));
    void* shared =
        ::mmap(nullptr, kSharedSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    control_ = static_cast<ControlRegion*>(shared);
    board_ = reinterpret_cast<Scoreboard*>(static_cast<char*>(shared) + sizeof(ControlRegion));
    control_->header = make_header(kControlKind, 5, 1);
    REQUIRE(add_app(*control_, "app") == 0);
    for (pid_t& worker : workers_) {
      worker = start_worker();
    }
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() {
    for (const pid_t worker : workers_) {
      end_worker(worker);
    }
    ::munmap(control_, kSharedSize);
  }

  // Flips, drains and looks until `end`, or until a violation is found when `until_found`.
  void run(Clock::time_point end, bool until_found) {
    std::mt19937 random(11);
    while (Clock::now() < end && !(until_found && violations() != 0)) {
      disturb(random);
      round();
    }
  }

  std::uint64_t violations() const { return board_->violations; }
  std::uint64_t rounds() const { return rounds_; }
  const Scoreboard& board() const { return *board_; }

 private:
  static constexpr std::size_t kSharedSize = sizeof(ControlRegion) + 4096;
  static_assert(sizeof(Scoreboard) <= 4096);

  static void end_worker(pid_t worker) {
    ::kill(worker, SIGKILL);
    ::waitpid(worker, nullptr, 0);
  }

  pid_t start_worker() {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) {
        work();
      }
      ::_exit(0);
    }
    return child;
  }

  [[noreturn]] void work() {
    UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    auto& region = *static_cast<TelemetryRegion*>(telemetry_.data());
    const std::uint32_t slot = take_slot(fd.get(), region, 0, 0);
    if (slot == kNoSlot) {
      ::_exit(1);
    }
    std::minstd_rand random(static_cast<std::uint32_t>(::getpid()));
    for (;;) {
      request(region.slots[slot].counters[0], random);
    }
  }

  // Gives the others a chance to run where it hurts most.
  static void pause(std::minstd_rand& random) {
    if (random() % 8 == 0) {
      ::sched_yield();
    }
  }

  void request(Counters (&counters)[2], std::minstd_rand& random) {
    AppRecord& app = control_->apps[0];
    // Acquire pairs with the seq_cst store in store_route, as a worker's first look does.
    std::uint64_t word = app.word.load(std::memory_order_acquire);
    for (int moves = 0; moves < kMaxMoves; ++moves) {
      const std::size_t color = index_of(unpack_route(word).active);
      pause(random);
      announce(counters[color].in_flight);
      pause(random);
      const std::uint64_t again = look_again_ ? load_again(app.word) : word;
      if (again == word || !unpack_route(again).closed(kColors[color])) {
        inside(color, random);
        withdraw(counters[color].in_flight);
        return;
      }
      withdraw(counters[color].in_flight);
      board_->withdrawn.fetch_add(1);
      word = again;
    }
    board_->gave_up.fetch_add(1);
  }

  void inside(std::size_t color, std::minstd_rand& random) {
    for (std::uint32_t steps = random() % 4; steps > 0; --steps) {
      if (board_->drained[color] != 0) {
        board_->violations.fetch_add(1);
      }
      pause(random);
    }
    board_->requests.fetch_add(1);
  }

  std::uint64_t in_flight(Color color) const {
    const auto& region = *static_cast<const TelemetryRegion*>(telemetry_.data());
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < kWorkers + 1; ++i) {
      if (slot_life(fd_.get(), i) == SlotLife::kLive) {
        // Sequentially consistent pairs with announce, see in_flight.hpp.
        sum +=
            region.slots[i].counters[0][index_of(color)].in_flight.load(std::memory_order_seq_cst);
      }
    }
    return sum;
  }

  void round() {
    ++rounds_;
    AppRecord& app = control_->apps[0];
    const Color old = route_.active;
    route_.active = other(old);
    route_.flags = 0;
    REQUIRE(store_route(app, route_, 5, 0, ++generation_));
    route_.flags = closed_flag(old);
    REQUIRE(store_route(app, route_, 5, 0, ++generation_));
    const auto give_up = Clock::now() + std::chrono::seconds(20);
    while (in_flight(old) != 0) {
      if (stopped_ > 0 && ++waited_ > 20) {
        resume();  // it may be the one that is waited for
      }
      ::sched_yield();
      REQUIRE(Clock::now() < give_up);
    }
    board_->drained[index_of(old)] = 1;
    for (int i = 0; i < 5; ++i) {
      ::sched_yield();
    }
    board_->drained[index_of(old)] = 0;
  }

  void resume() {
    ::kill(stopped_, SIGCONT);
    stopped_ = 0;
    waited_ = 0;
  }

  void disturb(std::mt19937& random) {
    if (stopped_ > 0 && random() % 4 == 0) {
      resume();
    }
    pid_t& victim = workers_[random() % kWorkers];
    if (random() % 16 == 0 && stopped_ == 0) {
      stopped_ = victim;
      ::kill(victim, SIGSTOP);
    } else if (random() % 64 == 0) {
      stopped_ = victim == stopped_ ? 0 : stopped_;
      end_worker(victim);
      victim = start_worker();
    }
  }

  bool look_again_;
  sample::TemporaryFolder folder_;
  std::string path_;
  UniqueFd fd_;
  Mapping telemetry_;
  ControlRegion* control_ = nullptr;
  Scoreboard* board_ = nullptr;
  pid_t workers_[kWorkers] = {};
  pid_t stopped_ = 0;
  int waited_ = 0;
  Route route_;
  std::uint64_t generation_ = 1;
  std::uint64_t rounds_ = 0;
};

}  // namespace

TEST_CASE("in_flight: nobody enters a closed color once its gauges read 0") {
  Stage stage(true);
  // `scripts/test --full` asks for the long run.
  const bool full = std::getenv("BLUEGREEN_FULL") != nullptr;
  stage.run(Clock::now() + std::chrono::milliseconds(full ? 15000 : 1500), false);
  INFO("rounds " << stage.rounds() << ", requests " << stage.board().requests << ", withdrawn "
                 << stage.board().withdrawn << ", gave up " << stage.board().gave_up);
  CHECK(stage.violations() == 0);
  CHECK(stage.rounds() >= 50);
  CHECK(stage.board().requests > 1000);
  CHECK(stage.board().withdrawn > 0);
}

TEST_CASE("in_flight: the same stress finds violations when workers do not look again") {
  Stage stage(false);
  stage.run(Clock::now() + std::chrono::seconds(20), true);
  INFO("rounds " << stage.rounds());
  CHECK(stage.violations() > 0);
}

TEST_CASE("in_flight: gauge goes up and down and never below 0") {
  std::atomic<std::uint64_t> gauge{0};
  announce(gauge);
  announce(gauge);
  CHECK(gauge == 2);
  withdraw(gauge);
  withdraw(gauge);
  withdraw(gauge);
  CHECK(gauge == 0);
  count(gauge, 5);
  count(gauge);
  CHECK(gauge == 6);
}
