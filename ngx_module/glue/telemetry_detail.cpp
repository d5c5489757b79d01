// See telemetry_detail.hpp.
#include "ngx_module/glue/telemetry_detail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace bluegreen::glue {

namespace {

// musl asks the file system and gives up where glibc writes: the pages are then written as they
// are. Nobody else writes to a range that is allocated here.
int allocate_range(int fd, std::uint64_t offset, std::uint64_t size) noexcept {
  int error = 0;
  do {
    error = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(size));
  } while (error == EINTR);
  if (error != EOPNOTSUPP && error != ENOSYS) {
    return error;
  }
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t part = std::min<std::uint64_t>(4096, size - done);
    char page[4096] = {};
    const auto at = static_cast<off_t>(offset + done);
    if (::pread(fd, page, part, at) < 0) {
      return errno;
    }
    const ssize_t wrote = ::pwrite(fd, page, part, at);
    if (wrote <= 0) {
      return wrote < 0 ? errno : ENOSPC;
    }
    done += static_cast<std::uint64_t>(wrote);
  }
  return 0;
}

// The file gets longer only when what the master answers for has its storage.
int grow(int fd, std::uint64_t begin, std::uint64_t allocated, std::uint64_t end) noexcept {
  const int error = allocate_range(fd, begin, allocated);
  return error != 0 ? error : ::ftruncate(fd, static_cast<off_t>(end)) == 0 ? 0 : errno;
}

bool is_other_version(const shm::DetailHeader& header) noexcept {
  return std::memcmp(header.magic, shm::kDetailMagic, sizeof(header.magic)) == 0 &&
         header.crc == shm::detail_header_crc(header) && header.version != shm::kDetailVersion;
}

}  // namespace

int prepare_detail(int fd, std::uint64_t region_id, std::uint32_t apps) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return errno;
  }
  auto size = static_cast<std::uint64_t>(status.st_size);
  // Only what the checksum covers: the lease behind it is written by workers meanwhile.
  constexpr std::size_t kHeader = offsetof(shm::DetailHeader, crc) + sizeof(std::uint32_t);
  shm::DetailHeader header{};
  if (::pread(fd, &header, kHeader, static_cast<off_t>(shm::kDetailOffset)) < 0) {
    return errno;
  }
  if (is_other_version(header)) {
    return 0;
  }
  const std::uint64_t base = shm::detail_file_size(0);
  if (size < base) {
    const int error = grow(fd, shm::kDetailOffset, base - shm::kDetailOffset, base);
    if (error != 0) {
      return error;
    }
    size = base;
  }
  shm::DetailHeader wanted{};
  shm::make_detail_header(wanted, region_id);
  if (std::memcmp(&header, &wanted, kHeader) != 0 &&
      ::pwrite(fd, &wanted, kHeader, static_cast<off_t>(shm::kDetailOffset)) !=
          static_cast<ssize_t>(kHeader)) {
    return errno != 0 ? errno : EIO;
  }
  for (std::uint32_t app = 0; app < apps; ++app) {
    const std::uint64_t end = shm::detail_file_size(app + 1);
    if (size >= end) {
      continue;
    }
    const int error = grow(fd, shm::app_detail_offset(app), offsetof(shm::AppDetail, slots), end);
    if (error != 0) {
      return error;
    }
  }
  return 0;
}

std::uint32_t mapped_apps(const shm::TelemetryRegion* region, std::uint64_t size) noexcept {
  if (size < shm::detail_file_size(0)) {
    return 0;
  }
  const auto* const header = reinterpret_cast<const shm::DetailHeader*>(region + 1);
  return shm::apps_with_detail(*header, region->header.id, size);
}

int own_range(int fd, std::uint32_t app, std::uint32_t slot) noexcept {
  return allocate_range(fd, shm::slot_detail_offset(app, slot), sizeof(shm::SlotDetail));
}

void carry_detail(shm::ColorDetail& to, shm::ColorDetail& from) noexcept {
  static_assert(sizeof(shm::ColorDetail) % sizeof(std::atomic<std::uint64_t>) == 0);
  auto* const target = reinterpret_cast<std::atomic<std::uint64_t>*>(&to);
  auto* const source = reinterpret_cast<std::atomic<std::uint64_t>*>(&from);
  for (std::size_t i = 0; i < sizeof(shm::ColorDetail) / sizeof(*source); ++i) {
    // Relaxed in all: both have this thread as their only writer; pairs with readers that add up.
    const std::uint64_t more = source[i].load(std::memory_order_relaxed);
    if (more != 0) {
      target[i].store(target[i].load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
      source[i].store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace bluegreen::glue
