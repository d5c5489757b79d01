// See control_attachment.hpp.
#include "ngx_module/glue/control_attachment.hpp"

#include "ngx_module/glue/region_guard.hpp"

namespace bluegreen::glue {

void ControlAttachment::unmap() noexcept {
  if (mapping_) {
    forget_region(mapping_.data());
  }
  mapping_.reset();
}

void ControlAttachment::guard() noexcept {
  guarded_ = true;
  if (mapping_) {
    guard_region(mapping_.data(), mapping_.size(), &lost_);
  }
}

bool ControlAttachment::map(const shm::UniqueFd& fd) noexcept {
  shm::Mapping fresh;
  if (!fresh.map(fd.get(), sizeof(shm::ControlRegion), PROT_READ)) {
    error_.result = shm::OpenResult::kIoError;
    error_.error = errno;
    state_ = shm::ControlState::kDamaged;
    return false;
  }
  unmap();
  mapping_ = std::move(fresh);
  lost_ = 0;
  if (guarded_) {
    guard_region(mapping_.data(), mapping_.size(), &lost_);
  }
  return true;
}

bool ControlAttachment::refresh(const char* path) noexcept {
  shm::UniqueFd fd;
  error_ = shm::open_region(path, O_RDONLY, shm::kControlKind, fd);
  if (error_.result != shm::OpenResult::kOk) {
    state_ = error_.result == shm::OpenResult::kAbsent ? shm::ControlState::kMissing
                                                       : shm::ControlState::kDamaged;
    return false;
  }
  struct stat status {};
  shm::RegionHeader header{};
  if (::fstat(fd.get(), &status) != 0 ||
      ::pread(fd.get(), &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header))) {
    error_.result = shm::OpenResult::kIoError;
    error_.error = errno;
    state_ = shm::ControlState::kDamaged;
    return false;
  }
  if (mapping_ && lost_ == 0 && status.st_dev == device_ && status.st_ino == inode_ &&
      header.id == id_) {
    state_ = shm::ControlState::kOk;
    return false;
  }
  if (!map(fd)) {
    return false;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  id_ = header.id;
  state_ = shm::ControlState::kOk;
  return true;
}

}  // namespace bluegreen::glue
