// What one worker obeys for one application: the last route word that it accepted, with the tables
// that the word named, and where that came from.
//
// Steps, on each request (admit, look) and once a second (look, from the timer):
//   1. load the word; if it is the one that was judged last, nothing has changed
//   2. otherwise copy word and tables out of the region (shm::read_app). Whole: accept it.
//      Damaged: remember the word as rejected, so that it is judged once, and keep the last good
//   3. after announcing itself, a request asks whether the word still admits its color
// Before anything was accepted: the `bluegreen_server` lines when the file is missing or does not
// know the application; nothing (503) when it is damaged.
//
// Owned by one worker (or the master, for its workers to inherit); one thread, never shared.
// Nothing here waits: a writer at work costs at most kReadTries copies, and the last good stays.
#pragma once

#include <atomic>
#include <cstdint>

#include "shm/control_region.hpp"
#include "shm/in_flight.hpp"
#include "shm/telemetry_region.hpp"

namespace bluegreen::core {

// The word that stands in for a region that is not there; invalid, like a hole in a file.
inline constexpr std::atomic<std::uint64_t> kNoWord{0};

enum class Basis : std::uint8_t {
  kDefaults,  // nothing accepted, and nobody has spoken: bluegreen_server lines, blue
  kRegion,    // accepted from the control region
  kMirror,    // accepted by an earlier worker, read from telemetry
  kNothing,   // nothing accepted, and the file is damaged
};

enum class Look : std::uint8_t { kUnchanged, kAccepted, kRejected };

// What asks to be admitted: a request's first try, its preview of the idle color, or a request that
// has begun already (a retry, a fallback, a part of one that is in flight).
enum class Admission : std::uint8_t { kFirst, kPreview, kAgain };

class AcceptedRoute {
 public:
  // The region as it is mapped now, and the application's index in it; nullptr or kMaxApps when
  // there is none. The next look judges the word again. `damaged`: the file is there and is no
  // region, or the word could not be trusted.
  void attach(const shm::ControlRegion* region, std::uint32_t index, bool damaged) noexcept {
    const bool known = region != nullptr && index < shm::kMaxApps;
    region_ = known ? region : nullptr;
    index_ = known ? index : shm::kMaxApps;
    word_ = known ? &region->apps[index].word : &kNoWord;
    seen_ = 0;
    judged_ = !known;
    rejected_ = false;
    if (!accepted()) {
      basis_ = damaged ? Basis::kNothing : Basis::kDefaults;
    }
  }

  // Looks at the word and its tables again although the word has not moved: the timer's way to
  // notice that a damaged table was repaired in place.
  void judge_again() noexcept { judged_ = judged_ && !rejected_; }

  Look look() noexcept {
    // Acquire pairs with the seq_cst store in store_route: what the word names is visible.
    const std::uint64_t word = word_->load(std::memory_order_acquire);
    if (__builtin_expect(static_cast<long>(judged_ && word == seen_), 1) != 0) {
      return Look::kUnchanged;
    }
    return judge(word);
  }

  // The protocol's second look: does the word, as it is now, let a request go on with `color`?
  // A word that no longer makes sense is damage, and then the last accepted one holds.
  bool admits(shm::Color color, Admission admission) const noexcept {
    const std::uint64_t word = shm::load_again(*word_);
    const bool unmoved = word == seen_ && !rejected_;
    return __builtin_expect(static_cast<long>(unmoved), 1) != 0 ||
           still_admits(word, color, admission);
  }

  // Takes over what an earlier worker accepted, if nothing better is known and it is whole.
  bool accept_mirror(const shm::MirrorCopy& copy) noexcept {
    if (accepted() || !shm::route_is_valid(copy.word, copy.control_id, copy.control_index) ||
        !shm::table_is_valid(copy.tables[0]) || !shm::table_is_valid(copy.tables[1])) {
      return false;
    }
    snapshot_.word = copy.word;
    snapshot_.generation = copy.generation;
    snapshot_.flipped_unix_ns = 0;
    snapshot_.route = shm::unpack_route(copy.word);
    snapshot_.tables[0] = copy.tables[0];
    snapshot_.tables[1] = copy.tables[1];
    basis_ = Basis::kMirror;
    return true;
  }

  bool accepted() const noexcept { return basis_ == Basis::kRegion || basis_ == Basis::kMirror; }
  bool rejected() const noexcept { return rejected_; }
  shm::ReadResult problem() const noexcept { return problem_; }
  Basis basis() const noexcept { return basis_; }
  std::uint32_t index() const noexcept { return index_; }
  // Blue with no flags, generation 0 and unpublished tables until something was accepted.
  const shm::AppSnapshot& snapshot() const noexcept { return snapshot_; }
  // Whether the look that accepted last brought other tables than were in force before.
  bool tables_moved() const noexcept { return tables_moved_; }

 private:
  // Of a word that is not the accepted one.
  __attribute__((noinline)) bool still_admits(std::uint64_t word, shm::Color color,
                                              Admission admission) const noexcept {
    if (region_ == nullptr || !shm::route_is_valid(word, region_->header.id, index_)) {
      return true;
    }
    const shm::Route route = shm::unpack_route(word);
    if (route.closed(color)) {
      return false;
    }
    switch (admission) {
      case Admission::kFirst:
        // Whether its hold counts is asked once the word is accepted. One with a damaged table
        // never is; telemetry says so, and no hold relies on this worker then.
        return (rejected_ && word == seen_) ||
               !(route.has(shm::kHold) || route.has(shm::kMaintenance));
      case Admission::kPreview:
        return color != route.active;
      case Admission::kAgain:
        break;
    }
    return true;
  }

  Look judge(std::uint64_t word) noexcept {
    if (region_ == nullptr) {
      return Look::kUnchanged;  // kNoWord never moves
    }
    shm::AppSnapshot fresh;
    bool moved = true;
    problem_ =
        shm::read_app(*region_, index_, fresh, accepted() ? snapshot_.tables : nullptr, &moved);
    if (problem_ == shm::ReadResult::kOk) {
      tables_moved_ = moved;
      snapshot_ = fresh;
      seen_ = fresh.word;
      judged_ = true;
      rejected_ = false;
      basis_ = Basis::kRegion;
      return Look::kAccepted;
    }
    if (problem_ == shm::ReadResult::kMoving) {
      return Look::kUnchanged;  // the writer is busy: the next request looks again
    }
    seen_ = word;
    judged_ = true;
    rejected_ = true;
    if (!accepted()) {
      basis_ = Basis::kNothing;
    }
    return Look::kRejected;
  }

  const shm::ControlRegion* region_ = nullptr;
  const std::atomic<std::uint64_t>* word_ = &kNoWord;
  std::uint64_t seen_ = 0;  // the word that was judged last
  std::uint32_t index_ = shm::kMaxApps;
  bool judged_ = true;
  bool rejected_ = false;
  bool tables_moved_ = false;
  Basis basis_ = Basis::kDefaults;
  shm::ReadResult problem_ = shm::ReadResult::kOk;
  shm::AppSnapshot snapshot_{};
};

}  // namespace bluegreen::core
