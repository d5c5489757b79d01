// The master's half of telemetry_writer.hpp: the file is made before the workers are, at a start or
// reload, and is given the names of the applications. Fails with an errno; NGINX starts all the
// same.
#include <sys/random.h>

#include <ctime>

#include "ngx_module/glue/region_guard.hpp"
#include "ngx_module/glue/telemetry_detail.hpp"
#include "ngx_module/glue/telemetry_writer.hpp"

namespace bluegreen::glue {

namespace {

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

// The place behind the last name.
std::uint32_t names_end(const shm::TelemetryRegion& region) noexcept {
  std::uint32_t end = shm::kMaxApps;
  // Relaxed: only this process adds names; pairs with its own stores.
  while (end != 0 && region.names[end - 1].state.load(std::memory_order_relaxed) == 0) {
    --end;
  }
  return end;
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
  // A file that is cut at this moment must not take the master with it.
  volatile std::sig_atomic_t lost = 0;
  if (!install_region_guard() || !guard_region(mapping.data(), mapping.size(), &lost)) {
    return EAGAIN;
  }
  auto* const region = static_cast<shm::TelemetryRegion*>(mapping.data());
  forget_dead_slotless(fd.get(), *region);
  bool room = true;
  for (std::size_t i = 0; i < count; ++i) {
    room = room && shm::add_name(region->names, apps[i]->name) != shm::kMaxApps;
  }
  const std::uint32_t named = names_end(*region);
  const std::uint64_t id = region->header.id;
  forget_region(mapping.data());
  if (lost != 0) {
    return EIO;
  }
  const int detail_error = prepare_detail(fd.get(), id, named);
  return detail_error != 0 ? detail_error : room ? 0 : ENOSPC;
}

}  // namespace bluegreen::glue
