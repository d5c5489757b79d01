// See region_image.hpp.
#include "tools/shm_dump/region_image.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace bluegreen::shm_dump {

std::string RegionImage::open(const std::string& path) {
  path_ = path;
  // Not blocking: a FIFO in its place must not hang us.
  fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd_ || ::fstat(fd_.get(), &status) != 0) {
    return std::generic_category().message(errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return "not a regular file";
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

std::size_t RegionImage::read(std::uint64_t offset, void* out, std::size_t size) const {
  auto* bytes = static_cast<char*>(out);
  std::memset(bytes, 0, size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(fd_.get(), bytes + done, size - done, static_cast<off_t>(offset + done));
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0 || errno != EINTR) {
      break;
    }
  }
  return done;
}

}  // namespace bluegreen::shm_dump
