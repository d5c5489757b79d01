// See telemetry_writer.hpp.
#include "ngx_module/glue/telemetry_writer.hpp"

#include <sys/random.h>

#include <ctime>

#include "ngx_module/glue/region_guard.hpp"
#include "shm/in_flight.hpp"

namespace bluegreen::glue {

namespace {

// Back into process memory, with the gauges as they are.
void leave_counters(App* const* apps, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 2; ++c) {
      shm::Counters& own = apps[i]->own[c];
      // Relaxed: nobody else sees this block; pairs with this thread's own reads.
      own.in_flight.store(apps[i]->held[c], std::memory_order_relaxed);
      apps[i]->counters[c] = &own;
    }
  }
}

// Workers that died without a slot cannot take their word back. At a start after which nobody of
// the file's former users is alive, it is void.
void forget_dead_slotless(int fd, shm::TelemetryRegion& region) noexcept {
  for (std::uint32_t slot = 0; slot < shm::kMaxSlots; ++slot) {
    if (shm::slot_life(fd, slot) != shm::SlotLife::kFree) {
      return;
    }
  }
  // Sequentially consistent pairs with a drain's reading of it, like a gauge.
  region.slotless.store(0, std::memory_order_seq_cst);
}

std::uint64_t unix_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t random_id() noexcept {
  std::uint64_t id = 0;
  while (id == 0) {
    if (::getrandom(&id, sizeof(id), 0) != static_cast<ssize_t>(sizeof(id))) {
      id = shm::mix64(unix_ns() ^ static_cast<std::uint64_t>(::getpid()));
    }
  }
  return id;
}

std::uint64_t mirror_offset(std::uint32_t app) noexcept {
  return offsetof(shm::TelemetryRegion, mirrors) + std::uint64_t{app} * sizeof(shm::Mirror);
}

std::uint32_t mirror_crc(const shm::MirrorCopy& copy) noexcept {
  return shm::crc32c(reinterpret_cast<const char*>(&copy) + sizeof(copy.crc),
                     sizeof(copy) - sizeof(copy.crc));
}

// A folder on tmpfs is gone after a boot; the one that the file lies in is made, not its parents.
void make_folder(const char* path) noexcept {
  char folder[4096];
  const int length = std::snprintf(folder, sizeof(folder), "%s", path);
  char* slash = std::strrchr(folder, '/');
  if (length > 0 && static_cast<std::size_t>(length) < sizeof(folder) && slash != nullptr &&
      slash != folder) {
    *slash = '\0';
    ::mkdir(folder, 0755);
  }
}

// Zero pages with a header and the names, written out whole by create_region_file.
int create(const char* path, App* const* apps, std::size_t count,
           const shm::RegionOwner& owner) noexcept {
  void* const memory = ::mmap(nullptr, sizeof(shm::TelemetryRegion), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return errno;
  }
  auto* const region = static_cast<shm::TelemetryRegion*>(memory);
  region->header = shm::make_header(shm::kTelemetryKind, random_id(), unix_ns());
  for (std::size_t i = 0; i < count; ++i) {
    shm::add_name(region->names, apps[i]->name);
  }
  const int error = shm::create_region_file(path, memory, sizeof(shm::TelemetryRegion), owner);
  ::munmap(memory, sizeof(shm::TelemetryRegion));
  return error;
}

}  // namespace

int TelemetryWriter::prepare(const char* path, App* const* apps, std::size_t count,
                             const shm::RegionOwner& owner) noexcept {
  int error = create(path, apps, count, owner);
  if (error == ENOENT) {
    make_folder(path);
    error = create(path, apps, count, owner);
  }
  if (error != 0 && error != EEXIST) {
    error_.result = shm::OpenResult::kIoError;
    error_.error = error;
    return error;
  }
  shm::UniqueFd fd;
  error_ = shm::open_region(path, O_RDWR, shm::kTelemetryKind, fd);
  if (error_.result != shm::OpenResult::kOk) {
    state_ = TelemetryState::kDamaged;
    return error_.error != 0 ? error_.error : EINVAL;
  }
  // The user may be another one than the last time; only root can and need say so.
  if (::geteuid() == 0 && ::fchown(fd.get(), owner.uid, owner.gid) != 0) {
    return errno;
  }
  shm::Mapping mapping;
  if (!mapping.map(fd.get(), sizeof(shm::TelemetryRegion), PROT_READ | PROT_WRITE)) {
    return errno;
  }
  auto* const region = static_cast<shm::TelemetryRegion*>(mapping.data());
  forget_dead_slotless(fd.get(), *region);
  for (std::size_t i = 0; i < count; ++i) {
    if (shm::add_name(region->names, apps[i]->name) == shm::kMaxApps) {
      return ENOSPC;
    }
  }
  return 0;
}

bool TelemetryWriter::same_file(const char* path) const noexcept {
  struct stat status {};
  return mapping_ && lost_ == 0 &&
         (::stat(path, &status) != 0 || (status.st_dev == device_ && status.st_ino == inode_));
}

bool TelemetryWriter::map(const char* path, int& error) noexcept {
  shm::UniqueFd fd;
  error_ = shm::open_region(path, O_RDWR, shm::kTelemetryKind, fd);
  if (error_.result != shm::OpenResult::kOk) {
    error = error_.error;
    state_ = error_.result == shm::OpenResult::kAbsent ? TelemetryState::kMissing
                                                       : TelemetryState::kDamaged;
    return false;
  }
  struct stat status {};
  shm::Mapping fresh;
  if (::fstat(fd.get(), &status) != 0 ||
      !fresh.map(fd.get(), sizeof(shm::TelemetryRegion), PROT_READ | PROT_WRITE)) {
    error = errno;
    error_.result = shm::OpenResult::kIoError;
    error_.error = error;
    state_ = TelemetryState::kDamaged;
    return false;
  }
  unmap();
  mapping_ = std::move(fresh);
  fd_ = std::move(fd);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  lost_ = 0;
  slot_ = shm::kNoSlot;
  said_slotless_ = false;
  state_ = TelemetryState::kOk;
  guard_region(mapping_.data(), mapping_.size(), &lost_);
  return true;
}

void TelemetryWriter::unmap() noexcept {
  if (mapping_) {
    forget_region(mapping_.data());
  }
  mapping_.reset();
  fd_.reset();
}

bool TelemetryWriter::attach(const char* path, App* const* apps, std::size_t count) noexcept {
  if (same_file(path) && slot_ != shm::kNoSlot) {
    return false;
  }
  if (!same_file(path)) {
    leave_counters(apps, count);  // the mapping is about to go
    int error = 0;
    if (!map(path, error)) {
      unmap();
      slot_ = shm::kNoSlot;
      complete_ = false;
      return false;
    }
  }
  slot_ = shm::take_slot(fd_.get(), *region(), static_cast<std::uint32_t>(::getpid()), unix_ns());
  if (slot_ == shm::kNoSlot) {
    count_slotless(true);
    return false;
  }
  move_counters(apps, count);
  count_slotless(!complete_);
  return true;
}

// Gauges are set from what is held, never carried over; counters of process memory are added once.
void TelemetryWriter::move_counters(App* const* apps, std::size_t count) noexcept {
  complete_ = true;
  for (std::size_t i = 0; i < count; ++i) {
    App& app = *apps[i];
    app.index = shm::find_name(region()->names, app.name);
    if (app.index == shm::kMaxApps) {
      complete_ = false;
      continue;
    }
    for (const shm::Color color : shm::kColors) {
      const std::size_t c = shm::index_of(color);
      shm::Counters& to = region()->slots[slot_].counters[app.index][c];
      shm::Counters& from = app.own[c];
      const auto carry = [](std::atomic<std::uint64_t>& target,
                            std::atomic<std::uint64_t>& source) noexcept {
        // Relaxed: both have this thread as their only writer; pairs with readers that add up.
        shm::count(target, source.load(std::memory_order_relaxed));
        source.store(0, std::memory_order_relaxed);
      };
      carry(to.requests, from.requests);
      for (std::size_t i_class = 0; i_class < 5; ++i_class) {
        carry(to.responses[i_class], from.responses[i_class]);
      }
      carry(to.no_response, from.no_response);
      carry(to.tries, from.tries);
      carry(to.failures, from.failures);
      carry(to.withdrawn, from.withdrawn);
      // Sequentially consistent, as an announcement is: pairs with the reading of gauges in a drain
      // (in_flight.hpp). say_attached comes after it.
      to.in_flight.store(app.held[c], std::memory_order_seq_cst);
      app.counters[c] = &to;
    }
  }
}

void TelemetryWriter::count_slotless(bool slotless) noexcept {
  if (!mapping_ || slotless == said_slotless_) {
    return;
  }
  said_slotless_ = slotless;
  // Sequentially consistent pairs with a drain's reading of it, like a gauge.
  if (slotless) {
    region()->slotless.fetch_add(1, std::memory_order_seq_cst);
  } else {
    region()->slotless.fetch_sub(1, std::memory_order_seq_cst);
  }
}

void TelemetryWriter::leave(App* const* apps, std::size_t count) noexcept {
  leave_counters(apps, count);
  say_attached(0, shm::ControlState::kMissing);
  count_slotless(false);
  unmap();
  slot_ = shm::kNoSlot;
}

void TelemetryWriter::say_attached(std::uint64_t control_id, shm::ControlState state) noexcept {
  if (!mapping_ || slot_ == shm::kNoSlot) {
    return;
  }
  shm::Slot& slot = region()->slots[slot_];
  const std::uint64_t id = complete_ ? control_id : 0;
  // Relaxed in both: the only writer reads what it wrote itself.
  if (slot.attached_control.load(std::memory_order_relaxed) != id) {
    // Sequentially consistent pairs with a drain, which must see the gauges stored before it.
    slot.attached_control.store(id, std::memory_order_seq_cst);
  }
  // Release pairs with readers' acquire; shown to people.
  slot.control_state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
}

void TelemetryWriter::say_cycle(std::uint64_t cycle) noexcept {
  if (mapping_ && slot_ != shm::kNoSlot) {
    // Relaxed pairs with readers that show it to people.
    region()->slots[slot_].cycle.store(cycle, std::memory_order_relaxed);
  }
}

const shm::MirrorCopy* TelemetryWriter::mirrored(std::uint32_t app) const noexcept {
  if (!mapping_ || app >= shm::kMaxApps) {
    return nullptr;
  }
  const shm::MirrorCopy* best = nullptr;
  for (const shm::MirrorCopy& copy : region()->mirrors[app].copies) {
    if (copy.accepted_unix_ns != 0 && copy.crc == mirror_crc(copy) &&
        (best == nullptr || copy.accepted_unix_ns > best->accepted_unix_ns)) {
      best = &copy;
    }
  }
  return best;
}

bool TelemetryWriter::mirror(std::uint32_t app, const shm::MirrorCopy& copy) noexcept {
  if (!mapping_ || app >= shm::kMaxApps || !shm::try_lock_byte(fd_.get(), mirror_offset(app))) {
    return false;
  }
  shm::MirrorCopy* const copies = region()->mirrors[app].copies;
  const shm::MirrorCopy* const newest = mirrored(app);
  const bool known = newest != nullptr && newest->control_id == copy.control_id &&
                     newest->generation >= copy.generation;
  if (!known) {
    shm::MirrorCopy& target = newest == &copies[0] ? copies[1] : copies[0];
    target.crc = 0;
    std::memcpy(reinterpret_cast<char*>(&target) + sizeof(target.crc),
                reinterpret_cast<const char*>(&copy) + sizeof(copy.crc),
                sizeof(copy) - sizeof(copy.crc));
    target.accepted_unix_ns = unix_ns();
    target.crc = mirror_crc(target);
  }
  shm::unlock_byte(fd_.get(), mirror_offset(app));
  return true;
}

bool TelemetryWriter::slot_is_live(std::uint32_t slot) const noexcept {
  return mapping_ && (slot == slot_ || shm::slot_life(fd_.get(), slot) != shm::SlotLife::kFree);
}

}  // namespace bluegreen::glue
