// The drain protocol on the real machine: two region files, workers that serve, and a controller
// that flips, closes, drains and looks whether anybody still uses what it was told is empty.
//
// Everything shared goes through the headers of shm/: take_slot, read_app, announce, load_again,
// withdraw, store_table, store_route, slot_life, and pread for the controller's reading, as bgctl
// does it. Beside the regions lies a page of the test's own, in which a worker marks what it really
// uses: it knows nothing of gauges, so it can contradict them.
//
// Who is a worker is the caller's: a process (drain_processes_test.cpp) or a thread
// (drain_threads_test.cpp), given as Crew. One thread runs the controller.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>

#include "shm/control_region.hpp"
#include "shm/in_flight.hpp"
#include "shm/sample_regions.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen::stress {

inline constexpr std::uint32_t kMaxCrew = 8;
inline constexpr std::uint64_t kMostRequests = 3;  // a worker has in flight at once

using Clock = std::chrono::steady_clock;

// What is left out, to see that the test sees it.
enum class Fault : std::uint8_t { kNone, kNoLookAgain, kStoppedCountsAsDead };

// The test's own page.
struct Board {
  std::atomic<std::uint32_t> using_color[kMaxCrew][2];
  std::atomic<std::uint64_t> requests;
  std::atomic<std::uint64_t> withdrawn;
  std::atomic<std::uint64_t> refused;
  std::atomic<std::uint64_t> torn;  // tables that were not the ones that the word named
};

// What a worker is to its controller. pause() is called by the worker wherever it may be stopped or
// die: false means that it dies there and then.
class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  virtual ~Crew() = default;
  virtual void start(std::uint32_t worker) = 0;
  virtual void stop(std::uint32_t worker) = 0;  // SIGSTOP, or what is like it
  virtual void go_on(std::uint32_t worker) = 0;
  virtual void kill(std::uint32_t worker) = 0;  // returns when it is gone
};

class Stage {
 public:
  Stage(std::uint32_t workers, Fault fault);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();

  // A worker's life. `pause` is a callable that gives false when the worker is to die.
  template <typename Pause>
  void work(std::uint32_t worker, Pause&& pause);

  // The controller, until `end` or, when `until_found`, until a violation.
  void run(Crew& crew, Clock::time_point end, bool until_found);

  const Board& board() const { return *board_; }
  std::uint64_t violations() const { return violations_; }
  std::uint64_t drains() const { return drains_; }
  std::uint64_t kills() const { return kills_; }
  std::uint64_t stops() const { return stops_; }
  std::uint64_t waits_for_stopped() const { return waits_for_stopped_; }
  std::string figures() const;

 private:
  struct View;
  struct Serving;

  bool look(Serving& serving);
  void publish(shm::Color color);
  void flip();
  bool drain(Crew& crew, shm::Color color);
  View read_gauges(shm::Color color) const;
  void expect_unused(shm::Color color);
  void disturb(Crew& crew);
  void resume(Crew& crew);

  // Gives the others a chance to run where it hurts most.
  template <typename Pause>
  static bool pass(std::minstd_rand& random, Pause& pause) {
    return random() % 8 != 0 || pause();
  }

  std::uint32_t workers_;
  Fault fault_;
  shm::sample::TemporaryFolder folder_;
  std::string telemetry_path_;
  shm::UniqueFd control_fd_;
  shm::UniqueFd telemetry_fd_;
  shm::Mapping control_write_;
  shm::Mapping control_read_;  // the workers': read only
  shm::Mapping telemetry_;
  Board* board_ = nullptr;

  shm::Route route_;
  std::uint64_t generation_ = 1;
  std::mt19937 random_{20261125};
  std::uint32_t stopped_ = kMaxCrew;
  std::uint64_t violations_ = 0;
  std::uint64_t drains_ = 0;
  std::uint64_t kills_ = 0;
  std::uint64_t stops_ = 0;
  std::uint64_t waits_for_stopped_ = 0;
};

// What a worker knows between two requests.
struct Stage::Serving {
  const shm::ControlRegion* control;
  shm::AppSnapshot snapshot;
};

template <typename Pause>
void Stage::work(std::uint32_t worker, Pause&& pause) {
  using namespace shm;
  // A descriptor of its own: with it, the lock goes.
  UniqueFd fd(::open(telemetry_path_.c_str(), O_RDWR | O_CLOEXEC));
  auto& region = *static_cast<TelemetryRegion*>(telemetry_.data());
  const std::uint32_t slot = take_slot(fd.get(), region, worker, 1);
  if (slot == kNoSlot || !pause()) {
    return;
  }
  Serving serving{static_cast<const ControlRegion*>(control_read_.data()), {}};
  Counters(&counters)[2] = region.slots[slot].counters[0];
  // Sequentially consistent, as telemetry_writer.cpp does it; pairs with the controller's reading.
  region.slots[slot].attached_control.store(serving.control->header.id, std::memory_order_seq_cst);
  std::minstd_rand random(static_cast<std::uint32_t>(Clock::now().time_since_epoch().count()));
  std::uint64_t held[2] = {0, 0};
  for (;;) {
    // End one, or begin one.
    const std::uint64_t sum = held[0] + held[1];
    if (sum != 0 && (sum == kMostRequests || random() % 2 == 0)) {
      const std::size_t color = held[0] != 0 && (held[1] == 0 || random() % 2 == 0) ? 0 : 1;
      --held[color];
      board_->using_color[worker][color].fetch_sub(1);
      withdraw(counters[color].in_flight);
      continue;
    }
    if (!look(serving)) {
      return;
    }
    for (int moves = 0;; ++moves) {
      if (moves > kMaxMoves) {
        board_->refused.fetch_add(1);
        break;
      }
      const Route& route = serving.snapshot.route;
      // Any open color: a first try, or a weight, a fallback, a preview.
      const bool aside = random() % 4 == 0 && !route.closed(other(route.active));
      const Color color = aside ? other(route.active) : route.active;
      const std::size_t c = index_of(color);
      if (!pass(random, pause)) {
        return;
      }
      announce(counters[c].in_flight);
      if (!pass(random, pause)) {
        return;
      }
      const std::uint64_t again = load_again(serving.control->apps[0].word);
      if (fault_ == Fault::kNoLookAgain || again == serving.snapshot.word ||
          !unpack_route(again).closed(color)) {
        ++held[c];
        board_->using_color[worker][c].fetch_add(1);
        board_->requests.fetch_add(1);
        break;
      }
      withdraw(counters[c].in_flight);
      board_->withdrawn.fetch_add(1);
      if (!look(serving)) {
        return;
      }
    }
    if (!pass(random, pause)) {
      return;
    }
  }
}

}  // namespace bluegreen::stress
