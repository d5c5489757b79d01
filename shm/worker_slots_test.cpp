// Slots: kept by a stopped owner, freed by a killed one, seen through a read-only descriptor.
#include "shm/worker_slots.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

namespace {

// A telemetry file and a mapping of it.
class SlotFile {
 public:
  SlotFile() : path_(folder_.file("telemetry")) {
    const auto image = sample::make_zeroed<TelemetryRegion>();
    image->header = make_header(kTelemetryKind, 7, 1);
    REQUIRE(create_region_file(path_.c_str(), image.get(), sizeof(*image), {}) == 0);
    fd_ = open(O_RDWR);
    REQUIRE(mapping_.map(fd_.get(), sizeof(TelemetryRegion), PROT_READ | PROT_WRITE));
  }
  UniqueFd open(int flags) const { return UniqueFd(::open(path_.c_str(), flags | O_CLOEXEC)); }
  TelemetryRegion& region() const { return *static_cast<TelemetryRegion*>(mapping_.data()); }

 private:
  sample::TemporaryFolder folder_;
  std::string path_;
  UniqueFd fd_;
  Mapping mapping_;
};

// A child that takes a slot through a descriptor of its own and lives until it is killed.
class Owner {
 public:
  explicit Owner(const SlotFile& file) {
    int ready[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      UniqueFd fd = file.open(O_RDWR);
      const std::uint32_t slot =
          take_slot(fd.get(), file.region(), static_cast<std::uint32_t>(::getpid()), 5);
      if (::write(ready[1], &slot, sizeof(slot)) != sizeof(slot)) {
        ::_exit(1);
      }
      for (;;) {
        ::pause();
      }
    }
    REQUIRE(::read(ready[0], &slot_, sizeof(slot_)) == sizeof(slot_));
    ::close(ready[0]);
    ::close(ready[1]);
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() { kill(); }
  std::uint32_t slot() const { return slot_; }
  pid_t pid() const { return pid_; }
  void stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
    REQUIRE(WIFSTOPPED(status));
  }
  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  std::uint32_t slot_ = kNoSlot;
};

}  // namespace

TEST_CASE("Slot is kept while its owner is stopped and free once it is killed") {
  SlotFile file;
  const UniqueFd reader = file.open(O_RDONLY);
  CHECK(slot_life(reader.get(), 0) == SlotLife::kFree);
  Owner owner(file);
  CHECK(owner.slot() == 0);
  CHECK(slot_life(reader.get(), 0) == SlotLife::kLive);
  owner.stop();
  CHECK(slot_life(reader.get(), 0) == SlotLife::kLive);
  owner.kill();
  CHECK(slot_life(reader.get(), 0) == SlotLife::kFree);
}

TEST_CASE("Slots are taken in order, and a freed one again") {
  SlotFile file;
  Owner first(file);
  Owner second(file);
  CHECK(second.slot() == 1);
  first.kill();
  Owner third(file);
  CHECK(third.slot() == 0);
  CHECK(file.region().slots[0].owners == 2);
  CHECK(file.region().slots[0].pid == static_cast<std::uint32_t>(third.pid()));
}

TEST_CASE("Slot's new owner starts its gauges at 0 and goes on counting") {
  SlotFile file;
  Slot& slot = file.region().slots[0];
  slot.attached_control = 9;
  slot.counters[63][1].in_flight = 4;
  slot.counters[63][1].waiting = 5;
  slot.counters[63][1].requests = 100;
  Owner owner(file);
  CHECK(slot.attached_control == 0);
  CHECK(slot.counters[63][1].in_flight == 0);
  CHECK(slot.counters[63][1].waiting == 0);
  CHECK(slot.counters[63][1].requests == 100);
  CHECK(slot.state == 1);
  CHECK(slot.taken_unix_ns == 5);
}

TEST_CASE("take_slot gives no slot when all are taken, or when the file is read-only") {
  SlotFile file;
  std::vector<UniqueFd> owners;
  for (std::uint32_t i = 0; i < kMaxSlots; ++i) {
    owners.push_back(file.open(O_RDWR));
    REQUIRE(take_slot(owners.back().get(), file.region(), 1, 1) == i);
  }
  const UniqueFd late = file.open(O_RDWR);
  CHECK(take_slot(late.get(), file.region(), 1, 1) == kNoSlot);
  CHECK(slot_life(late.get(), kMaxSlots - 1) == SlotLife::kLive);
  unlock_byte(owners[70].get(), slot_offset(70));
  CHECK(take_slot(late.get(), file.region(), 1, 1) == 70);
  const UniqueFd read_only = file.open(O_RDONLY);
  CHECK(take_slot(read_only.get(), file.region(), 1, 1) == kNoSlot);
  CHECK(errno == EBADF);
}

TEST_CASE("slot_life is unknown when the kernel cannot be asked") {
  CHECK(slot_life(-1, 0) == SlotLife::kUnknown);
}

TEST_CASE("Mirror's lock and slots' locks do not meet") {
  SlotFile file;
  const UniqueFd one = file.open(O_RDWR);
  const UniqueFd two = file.open(O_RDWR);
  CHECK(try_lock_byte(one.get(), offsetof(TelemetryRegion, mirrors)));
  CHECK_FALSE(try_lock_byte(two.get(), offsetof(TelemetryRegion, mirrors)));
  CHECK(try_lock_byte(two.get(), offsetof(TelemetryRegion, mirrors) + sizeof(Mirror)));
  CHECK(take_slot(two.get(), file.region(), 1, 1) == 0);
}
