// See telemetry_writer.hpp.
#include "ngx_module/glue/telemetry_writer.hpp"

#include <ctime>

#include "ngx_module/glue/region_guard.hpp"
#include "ngx_module/glue/telemetry_detail.hpp"
#include "shm/in_flight.hpp"

namespace bluegreen::glue {

namespace {

// Back into process memory, with the gauges as they are.
void leave_counters(App* const* apps, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    apps[i]->board = nullptr;
    for (std::size_t c = 0; c < 2; ++c) {
      apps[i]->detail[c] = &apps[i]->own_detail[c];
      shm::Counters& own = apps[i]->own[c];
      // Relaxed: nobody else sees this block; pairs with this thread's own reads.
      own.in_flight.store(apps[i]->held[c], std::memory_order_relaxed);
      own.waiting.store(apps[i]->waiting[c], std::memory_order_relaxed);
      apps[i]->counters[c] = &own;
    }
  }
}

std::uint64_t mirror_offset(std::uint32_t app) noexcept {
  return offsetof(shm::TelemetryRegion, mirrors) + std::uint64_t{app} * sizeof(shm::Mirror);
}

// With the second part, as far as this ABI knows it.
std::size_t mapping_size(const struct stat& status) noexcept {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  constexpr std::uint64_t kMost = shm::detail_file_size(shm::kMaxApps);
  return static_cast<std::size_t>(size < kMost ? size : kMost);
}

std::uint32_t mirror_crc(const shm::MirrorCopy& copy) noexcept {
  return shm::crc32c(reinterpret_cast<const char*>(&copy) + sizeof(copy.crc),
                     sizeof(copy) - sizeof(copy.crc));
}

}  // namespace

// Says what is wrong with the file that is mapped, and goes on with it: its pages may be whole
// again a moment later, and nobody else writes this worker's slot.
void TelemetryWriter::judge(const shm::OpenError& error) noexcept {
  error_ = error;
  state_ = error.result == shm::OpenResult::kOk       ? TelemetryState::kOk
           : error.result == shm::OpenResult::kAbsent ? TelemetryState::kMissing
                                                      : TelemetryState::kDamaged;
}

// False when the mapping has to be made anew: another file is at the path, or another region's
// content in the same file, or its pages are lost.
bool TelemetryWriter::same_file(const char* path) noexcept {
  if (!mapping_ || lost_ != 0) {
    return false;
  }
  struct stat status {};
  shm::OpenError error;
  if (::stat(path, &status) != 0) {
    error.error = errno;
    error.result =
        errno == ENOENT || errno == ENOTDIR ? shm::OpenResult::kAbsent : shm::OpenResult::kNoAccess;
    judge(error);
    return true;
  }
  if (status.st_dev != device_ || status.st_ino != inode_) {
    return false;
  }
  shm::RegionHeader header{};
  if (::pread(fd_.get(), &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header))) {
    error.result = shm::OpenResult::kTooShort;
    error.expected = sizeof(shm::TelemetryRegion);
    error.found = static_cast<std::uint64_t>(status.st_size);
    judge(error);
    return true;
  }
  judge(shm::validate_header(header, static_cast<std::uint64_t>(status.st_size),
                             shm::kTelemetryKind));
  return state_ != TelemetryState::kOk || header.id == id_;
}

// A file that was overwritten in place: gauges and what a slot says of its owner are set right, and
// a region in which our names are not where they were is not one that a drain could believe.
void TelemetryWriter::repair(App* const* apps, std::size_t count) noexcept {
  shm::Slot& slot = region()->slots[slot_];
  // Relaxed: the only writer reads what it wrote itself.
  if (slot.state.load(std::memory_order_relaxed) != 1 ||
      slot.pid.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(::getpid())) {
    // Release pairs with readers' acquire; shown to people.
    slot.pid.store(static_cast<std::uint32_t>(::getpid()), std::memory_order_release);
    slot.state.store(1, std::memory_order_release);
  }
  complete_ = true;
  for (std::size_t i = 0; i < count; ++i) {
    App& app = *apps[i];
    if (app.index == shm::kMaxApps || shm::find_name(region()->names, app.name) != app.index) {
      complete_ = false;
    }
    for (std::size_t c = 0; c < 2; ++c) {
      std::atomic<std::uint64_t>& gauge = app.counters[c]->in_flight;
      // Relaxed: the only writer reads what it wrote itself.
      if (gauge.load(std::memory_order_relaxed) != app.held[c]) {
        // Sequentially consistent, as an announcement is: pairs with a drain's reading.
        gauge.store(app.held[c], std::memory_order_seq_cst);
      }
      // Relaxed pairs with readers' relaxed loads: nothing is decided by it.
      app.counters[c]->waiting.store(app.waiting[c], std::memory_order_relaxed);
    }
  }
  if (!complete_ && state_ == TelemetryState::kOk) {
    state_ = TelemetryState::kDamaged;
  }
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
      !fresh.map(fd.get(), mapping_size(status), PROT_READ | PROT_WRITE)) {
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
  id_ = region()->header.id;
  lost_ = 0;
  slot_ = shm::kNoSlot;
  said_slotless_ = false;
  state_ = TelemetryState::kOk;
  guard_region(mapping_.data(), mapping_.size(), &lost_);
  detail_apps_ = mapped_apps(region(), mapping_.size());
  return true;
}

void TelemetryWriter::unmap() noexcept {
  if (mapping_) {
    forget_region(mapping_.data());
  }
  detail_apps_ = 0;
  mapping_.reset();
  fd_.reset();
}

bool TelemetryWriter::attach(const char* path, App* const* apps, std::size_t count) noexcept {
  const bool same = same_file(path);
  if (same && slot_ != shm::kNoSlot) {
    repair(apps, count);
    return false;
  }
  if (!same) {
    leave_counters(apps, count);  // the mapping is about to go
    int error = 0;
    if (!map(path, error)) {
      unmap();
      slot_ = shm::kNoSlot;
      complete_ = false;
      return false;
    }
    find_boards(apps, count);
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

// What is said on a board is for workers without a slot, too.
void TelemetryWriter::find_boards(App* const* apps, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t index = shm::find_name(region()->names, apps[i]->name);
    apps[i]->board = index < detail_apps_ ? &detail()->apps[index] : nullptr;
  }
}

// A disk that is full leaves them in process memory.
void TelemetryWriter::move_detail(App& app) noexcept {
  if (app.board == nullptr || own_range(fd_.get(), app.index, slot_) != 0) {
    return;
  }
  for (std::size_t c = 0; c < 2; ++c) {
    shm::ColorDetail& to = app.board->slots[slot_].colors[c];
    carry_detail(to, app.own_detail[c]);
    app.detail[c] = &to;
  }
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
      carry(to.weighted, from.weighted);
      carry(to.previews, from.previews);
      carry(to.fallbacks, from.fallbacks);
      carry(to.refused, from.refused);
      // Relaxed pairs with readers' relaxed loads: nothing is decided by it.
      to.waiting.store(app.waiting[c], std::memory_order_relaxed);
      // Sequentially consistent, as an announcement is: pairs with the reading of gauges in a drain
      // (in_flight.hpp). say_attached comes after it.
      to.in_flight.store(app.held[c], std::memory_order_seq_cst);
      app.counters[c] = &to;
    }
    move_detail(app);
  }
}

void TelemetryWriter::count_slotless(bool slotless) noexcept {
  if (!mapping_ || slotless == said_slotless_) {
    return;
  }
  said_slotless_ = slotless;
  // Sequentially consistent pairs with a drain's reading of it, like a gauge.
  std::atomic<std::uint64_t>& all = region()->slotless;
  if (slotless) {
    all.fetch_add(1, std::memory_order_seq_cst);
    return;
  }
  // Never below 0, where it would stay: the file may have been overwritten since.
  std::uint64_t now = all.load(std::memory_order_seq_cst);
  while (now != 0 && !all.compare_exchange_weak(now, now - 1, std::memory_order_seq_cst)) {
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
