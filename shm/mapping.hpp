// A shared mapping of a file, undone when its owner goes. Owned by one thread at a time; bgctl and
// NGINX's processes map both regions by it. A file that is cut while it is mapped faults whoever
// touches the lost pages: region_file.hpp checks the length before, and only root writes there.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace bluegreen::shm {

class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(Mapping&& from) noexcept
      : data_(std::exchange(from.data_, nullptr)), size_(std::exchange(from.size_, 0)) {}
  Mapping& operator=(Mapping&& from) noexcept {
    if (this != &from) {
      reset();
      data_ = std::exchange(from.data_, nullptr);
      size_ = std::exchange(from.size_, 0);
    }
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { reset(); }

  // `protection` as for mmap(2); false leaves this empty, errno says why.
  bool map(int fd, std::size_t size, int protection) noexcept {
    reset();
    void* data = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      return false;
    }
    data_ = data;
    size_ = size;
    return true;
  }
  void reset() noexcept {
    if (data_ != nullptr) {
      ::munmap(data_, size_);
    }
    data_ = nullptr;
    size_ = 0;
  }
  void* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace bluegreen::shm
