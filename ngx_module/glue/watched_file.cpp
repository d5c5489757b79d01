// See watched_file.hpp.
#include "ngx_module/glue/watched_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "shm/unique_fd.hpp"

namespace bluegreen::glue {

namespace {

bool same_time(const timespec& a, const timespec& b) noexcept {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// The change time too: a file that is given to another user is another one to whoever reads it.
bool same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         same_time(a.st_mtim, b.st_mtim) && same_time(a.st_ctim, b.st_ctim);
}

// Bytes read, or more than `capacity` when there are more; -1 with errno.
ssize_t read_whole(int fd, char* buffer, std::size_t capacity) noexcept {
  std::size_t size = 0;
  while (size < capacity) {
    const ssize_t got = ::read(fd, buffer + size, capacity - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got < 0 ? -1 : static_cast<ssize_t>(size);
    }
    size += static_cast<std::size_t>(got);
  }
  char one_more = 0;
  return static_cast<ssize_t>(size) + (::read(fd, &one_more, 1) == 1 ? 1 : 0);
}

}  // namespace

WatchedFile::Look WatchedFile::fail(int error) noexcept {
  error_ = error;
  whole_ = false;
  return Look::kFailed;
}

WatchedFile::Look WatchedFile::look(char* buffer, std::size_t capacity,
                                    std::size_t& size) noexcept {
  struct stat status {};
  if (::stat(path_, &status) != 0) {
    if (errno == EACCES && whole_) {
      error_ = errno;
      return Look::kUnseen;
    }
    return fail(errno);
  }
  if (whole_ && same_file(status, seen_)) {
    return Look::kSame;
  }
  // Non-blocking: somebody may have put a FIFO there.
  const shm::UniqueFd fd(::open(path_, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fail(errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(EINVAL);
  }
  const ssize_t got = read_whole(fd.get(), buffer, capacity);
  if (got < 0 || static_cast<std::size_t>(got) > capacity) {
    return fail(got < 0 ? errno : EFBIG);
  }
  seen_ = status;
  whole_ = true;
  error_ = 0;
  size = static_cast<std::size_t>(got);
  return Look::kRead;
}

}  // namespace bluegreen::glue
