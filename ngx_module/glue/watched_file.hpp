// A small file that the configuration names and that may change while NGINX runs: looked at once a
// second, read when it is another one than before.
//
// The master reads it first, as the user that it runs as; each worker goes on from there with what
// the master read, and with its own user's rights. One thread each. Failing is a state, `error()`.
#pragma once

#include <sys/stat.h>

#include <cstddef>

#include "ngx_module/glue/ngx.hpp"

namespace bluegreen::glue {

class WatchedFile {
 public:
  enum class Look : std::uint8_t {
    kSame,    // as it was when it was looked at last
    kRead,    // another content (or the first one): it is in the buffer
    kUnseen,  // this user may not even see whether it has changed
    kFailed,  // it is not there, cannot be read, or is too large: error()
  };

  // Absolute, ends with NUL, lives as long as the cycle.
  void name(const char* path) noexcept { path_ = path; }
  const char* path() const noexcept { return path_; }
  int error() const noexcept { return error_; }
  // The next look reads it, whatever was seen before.
  void read_anew() noexcept { whole_ = false; }

  // At most `capacity` bytes; a larger file has failed with EFBIG.
  Look look(char* buffer, std::size_t capacity, std::size_t& size) noexcept;

 private:
  Look fail(int error) noexcept;

  const char* path_ = nullptr;
  struct stat seen_ {};
  bool whole_ = false;  // what was seen last was read
  int error_ = 0;
};

}  // namespace bluegreen::glue
