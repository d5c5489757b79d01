// See the header; nothing here but the order of system calls.
#include "controller/host/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "controller/host/kill_point.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

tl::unexpected<std::string> system_error(const char* what, const std::string& path) {
  return tl::unexpected(fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

std::string followed(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) {
    return path;
  }
  std::string out(real);
  std::free(real);
  return out;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

tl::expected<void, std::string> flush_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const shm::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    return system_error("flush", folder);
  }
  return {};
}

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t size = ::write(fd, text.data() + done, text.size() - done);
    if (size < 0 && errno != EINTR) {
      return false;
    }
    done += size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  return true;
}

}  // namespace

tl::expected<void, std::string> replace_file(const std::string& path, const std::string& text,
                                             unsigned mode) {
  const std::string target = followed(path);
  const std::string temporary = target + ".new";
  struct stat old {};
  const bool exists = ::stat(target.c_str(), &old) == 0;
  ::unlink(temporary.c_str());  // left by a crash; we hold the lock
  shm::UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) {
    return system_error("create", temporary);
  }
  BLUEGREEN_KILL_POINT("file created");
  const bool owned = !exists || ::fchown(fd.get(), old.st_uid, old.st_gid) == 0;
  const mode_t bits = exists ? old.st_mode & 07777U : static_cast<mode_t>(mode);
  if (!owned || ::fchmod(fd.get(), bits) != 0 || !write_all(fd.get(), text) ||
      ::fsync(fd.get()) != 0) {
    auto error = system_error("write", temporary);
    ::unlink(temporary.c_str());
    return error;
  }
  BLUEGREEN_KILL_POINT("file flushed");
  if (::rename(temporary.c_str(), target.c_str()) != 0) {
    auto error = system_error("replace", target);
    ::unlink(temporary.c_str());
    return error;
  }
  BLUEGREEN_KILL_POINT("file renamed");
  auto flushed = flush_folder(target);
  BLUEGREEN_KILL_POINT("file durable");
  return flushed;
}

tl::expected<std::optional<std::string>, std::string> read_file(const std::string& path) {
  const shm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) {
      return std::optional<std::string>();
    }
    return system_error("open", path);
  }
  std::string text;
  std::array<char, 16384> chunk{};
  for (;;) {
    const ssize_t size = ::read(fd.get(), chunk.data(), chunk.size());
    if (size == 0) {
      return std::optional<std::string>(std::move(text));
    }
    if (size > 0) {
      text.append(chunk.data(), static_cast<std::size_t>(size));
    } else if (errno != EINTR) {
      return system_error("read", path);
    }
  }
}

tl::expected<void, std::string> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) {
      return {};
    }
    return system_error("remove", path);
  }
  BLUEGREEN_KILL_POINT("file removed");
  return flush_folder(path);
}

tl::expected<void, std::string> make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return tl::unexpected(fmt::format("create {}: {}", path, error.message()));
  }
  return {};
}

}  // namespace bluegreen
