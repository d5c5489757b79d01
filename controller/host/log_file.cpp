// See the header.
#include "controller/host/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kMost = 16U << 10;

}  // namespace

std::string text_tail(const std::string& text, std::size_t lines) {
  std::size_t end = text.size();
  while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r')) {
    --end;
  }
  const std::size_t floor = end > kMost ? end - kMost : 0;
  std::size_t begin = end;
  for (std::size_t left = lines; left > 0 && begin > floor; --left) {
    const std::size_t newline = begin < 2 ? std::string::npos : text.rfind('\n', begin - 2);
    begin = newline == std::string::npos ? 0 : newline + 1;
  }
  begin = std::max(begin, floor);
  return text.substr(begin, end - begin);
}

std::string file_tail(const std::string& path, std::size_t lines) {
  const shm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return {};
  }
  const off_t from = std::max<off_t>(0, status.st_size - static_cast<off_t>(kMost));
  std::string text(kMost, '\0');
  const ssize_t size = ::pread(fd.get(), text.data(), text.size(), from);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text_tail(text, lines);
}

}  // namespace bluegreen
