// A file descriptor that is closed when its owner goes. Owned by one thread at a time; bgctl and
// NGINX's processes use it alike. Never fails: what could not be opened is empty.
#pragma once

#include <unistd.h>

#include <utility>

namespace bluegreen::shm {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& from) noexcept : fd_(from.release()) {}
  UniqueFd& operator=(UniqueFd&& from) noexcept {
    if (this != &from) {
      reset(from.release());
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  // Gives the descriptor away: whoever takes it closes it.
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) {
      ::close(fd_);
    }
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace bluegreen::shm
