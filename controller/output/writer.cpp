// See writer.hpp.
#include "controller/output/writer.hpp"

#include <unistd.h>

#include <cerrno>

namespace bluegreen {

void FdWriter::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd_, text.data(), text.size());
    if (wrote > 0) {
      text.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (wrote < 0 && errno != EINTR) {
      return;
    }
  }
}

}  // namespace bluegreen
