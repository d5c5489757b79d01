// A file that lasts for one run of Compose: an environment file with other images. Its owner wrote
// it; the destructor removes it. A kill leaves it in the run directory, which is a tmpfs.
#pragma once

#include <unistd.h>

#include <string>

namespace bluegreen {

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace bluegreen
