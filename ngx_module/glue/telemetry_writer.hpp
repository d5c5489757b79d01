// What this NGINX says about itself: the telemetry file, this worker's slot in it, and where each
// application's counters are at the moment.
//
// Master, at a real start or reload (never `nginx -t`): prepare() creates the file, or adds the
// names of new applications to the one that is there. Worker, after fork and then once a second:
// attach() opens the file with a descriptor of its own, takes a slot, and moves the counters of all
// applications into it; without one (file missing, no free slot) they stay in process memory, the
// worker serves, and `slotless` in the region says that in-flight figures are not exact.
// The gauges' truth is App::held: whatever block is current can be lost and filled again from it,
// and a file that was overwritten in place has its gauges set right within a second. While the file
// at the path is missing or damaged the worker counts on in what it has mapped.
//
// One thread. Failing is a state, never an error of a request.
#pragma once

#include <csignal>

#include "shm/clock.hpp"
#include "shm/telemetry_detail.hpp"
#include "shm/telemetry_region.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen::glue {

struct Probe;  // probe_conf.hpp

// One application of this configuration, shared by all upstreams that name it.
struct App {
  std::string_view name;
  std::uint32_t index = shm::kMaxApps;  // in the telemetry region
  const Probe* probe = nullptr;         // bluegreen_probe; nullptr: health does not count
  std::uint64_t held[2] = {0, 0};       // requests in flight, by color
  std::uint64_t waiting[2] = {0, 0};    // requests that a hold keeps waiting, by active color
  shm::Counters own[2] = {};            // used while there is no slot
  shm::Counters* counters[2] = {&own[0], &own[1]};
  shm::AppDetail* board = nullptr;      // in the file's second part; nullptr: it has none for us
  shm::ColorDetail own_detail[2] = {};  // used while there is no board or no slot
  shm::ColorDetail* detail[2] = {&own_detail[0], &own_detail[1]};
};

enum class TelemetryState : std::uint8_t { kMissing, kOk, kDamaged };

inline std::uint64_t unix_ns() noexcept {
  return shm::clock_ns(CLOCK_REALTIME);
}

class TelemetryWriter {
 public:
  TelemetryWriter() noexcept = default;
  TelemetryWriter(const TelemetryWriter&) = delete;
  TelemetryWriter& operator=(const TelemetryWriter&) = delete;
  ~TelemetryWriter() { unmap(); }

  // Master. 0, or an errno; error() says more when a file is there that is no region.
  int prepare(const char* path, App* const* apps, std::size_t count,
              const shm::RegionOwner& owner) noexcept;

  // Worker. True when the counters moved to another file or slot.
  bool attach(const char* path, App* const* apps, std::size_t count) noexcept;
  // Worker, at a clean exit: the slot says that nobody obeys any control region with it.
  void leave(App* const* apps, std::size_t count) noexcept;

  // The control region that this worker obeys, for drain; 0 when its word cannot be followed.
  void say_attached(std::uint64_t control_id, shm::ControlState state) noexcept;
  void say_cycle(std::uint64_t cycle) noexcept;

  // Keeps what was accepted for workers that start later. False when that has to be tried again:
  // another worker is writing, or there is no region.
  bool mirror(std::uint32_t app, const shm::MirrorCopy& copy) noexcept;
  // The newest whole copy, or nullptr.
  const shm::MirrorCopy* mirrored(std::uint32_t app) const noexcept;

  shm::TelemetryRegion* region() const noexcept {
    return static_cast<shm::TelemetryRegion*>(mapping_.data());
  }
  // The file's second part; nullptr without one.
  shm::TelemetryDetail* detail() const noexcept {
    return mapping_ && detail_apps_ != 0 ? reinterpret_cast<shm::TelemetryDetail*>(region() + 1)
                                         : nullptr;
  }
  // Of it, how many AppDetail are mapped.
  std::uint32_t detail_apps() const noexcept { return detail_apps_; }
  // This worker's, or kNoSlot.
  std::uint32_t slot() const noexcept { return slot_; }
  bool slot_is_live(std::uint32_t slot) const noexcept;
  bool exact() const noexcept {
    return mapping_ && slot_ != shm::kNoSlot && complete_ && state_ == TelemetryState::kOk;
  }
  TelemetryState state() const noexcept { return state_; }
  const shm::OpenError& error() const noexcept { return error_; }

 private:
  bool map(const char* path, int& error) noexcept;
  void unmap() noexcept;
  void find_boards(App* const* apps, std::size_t count) noexcept;
  void move_detail(App& app) noexcept;
  void move_counters(App* const* apps, std::size_t count) noexcept;
  void count_slotless(bool slotless) noexcept;
  bool same_file(const char* path) noexcept;
  void judge(const shm::OpenError& error) noexcept;
  void repair(App* const* apps, std::size_t count) noexcept;

  shm::UniqueFd fd_;
  shm::Mapping mapping_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t id_ = 0;
  std::uint32_t slot_ = shm::kNoSlot;
  std::uint32_t detail_apps_ = 0;
  bool complete_ = false;  // every application has a name in the region
  bool said_slotless_ = false;
  TelemetryState state_ = TelemetryState::kMissing;
  shm::OpenError error_;
  volatile std::sig_atomic_t lost_ = 0;
};

}  // namespace bluegreen::glue
