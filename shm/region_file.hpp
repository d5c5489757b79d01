// Region files: created whole or not at all, validated when opened, mapped for a lifetime.
//
// Both kinds of region begin with the same 64 bytes, RegionHeader:
//     0  8    magic: "BGCTRL\r\n" control, "BGTELE\r\n" telemetry (a text-mode copy breaks it)
//     8  u32  ABI version
//    12  u32  size of the header area, 4096
//    16  u64  size of the file
//    24  u64  id: random, not 0; another file at the same path has another id
//    32  u64  time of creation, Unix nanoseconds
//    40  u32  applications, 64
//    44  u32  stride of an application record (control), of a worker slot (telemetry)
//    48  u32  endpoints a color, 32 (control); worker slots, 128 (telemetry)
//    52  u32  zero
//    56  u32  zero
//    60  u32  CRC-32C over bytes 0 to 59
// None of it changes after creation.
//
// A file counts when: it is a regular file (1), not shorter than a header (2), with the magic (3)
// and ABI (4) expected, a header CRC that is right (5), the header's sizes are those of this ABI
// and the file is as long as they say (6). validate_header tells which one failed.
//
// Creation: temporary file in the same folder, every byte written (a full disk shows now, as an
// error, not later as SIGBUS), fsync, link to the final name (an existing file is never replaced),
// fsync of the folder.
//
// Callers: bgctl creates control; NGINX's master creates telemetry; both open both. Errors are
// values; nothing throws.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include "shm/checksum.hpp"
#include "shm/limits.hpp"
#include "shm/mapping.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen::shm {

inline constexpr std::size_t kHeaderArea = 4096;

struct RegionHeader {
  char magic[8];
  std::uint32_t abi;
  std::uint32_t header_size;
  std::uint64_t file_size;
  std::uint64_t id;
  std::uint64_t created_unix_ns;
  std::uint32_t apps;
  std::uint32_t stride;
  std::uint32_t entries;
  std::uint32_t zero[2];
  std::uint32_t crc;
};
static_assert(sizeof(RegionHeader) == 64 && offsetof(RegionHeader, crc) == 60);

// What one kind of region looks like in this ABI.
struct RegionKind {
  char magic[8];
  const char* name;
  std::uint64_t file_size;
  std::uint32_t stride;
  std::uint32_t entries;
};

enum class OpenResult : std::uint8_t {
  kOk,
  kAbsent,      // no such file or folder
  kNoAccess,    // the file is there and may not be opened
  kNotRegular,  // a folder, a link, a device
  kTooShort,    // shorter than its header, or than the header says
  kBadMagic,
  kBadAbi,
  kBadChecksum,  // of the header
  kBadSize,      // sizes in the header that are not this ABI's
  kIoError,
};

// What failed, with the numbers that a message needs. `error` is an errno where there is one.
struct OpenError {
  OpenResult result = OpenResult::kOk;
  int error = 0;
  std::uint64_t expected = 0;
  std::uint64_t found = 0;
  const char* field = "";  // kBadSize: which of the header's fields
};

namespace detail {

// strerror_r returns the text in glibc, a status in musl: whichever was called.
inline const char* error_text(const char* returned, const char*) noexcept {
  return returned;
}
inline const char* error_text(int failed, const char* filled) noexcept {
  return failed == 0 ? filled : "unknown error";
}

}  // namespace detail

// One line without the file's name, for the log of either side. Returns `out`.
inline const char* describe(const OpenError& e, const RegionKind& kind, char* out,
                            std::size_t size) noexcept {
  const auto expected = static_cast<unsigned long long>(e.expected);
  const auto found = static_cast<unsigned long long>(e.found);
  char text[64] = {};
  switch (e.result) {
    case OpenResult::kOk:
      std::snprintf(out, size, "ok");
      break;
    case OpenResult::kAbsent:
      std::snprintf(out, size, "no such file");
      break;
    case OpenResult::kNoAccess:
    case OpenResult::kIoError:
      std::snprintf(out, size, "%s",
                    detail::error_text(::strerror_r(e.error, text, sizeof(text)), text));
      break;
    case OpenResult::kNotRegular:
      std::snprintf(out, size, "not a regular file");
      break;
    case OpenResult::kTooShort:
      std::snprintf(out, size, "too short: expected %llu bytes, found %llu", expected, found);
      break;
    case OpenResult::kBadMagic:
      std::snprintf(out, size, "not a bluegreen %s region: expected magic %016llx, found %016llx",
                    kind.name, expected, found);
      break;
    case OpenResult::kBadAbi:
      std::snprintf(out, size, "ABI version %llu, this program reads %llu", found, expected);
      break;
    case OpenResult::kBadChecksum:
      std::snprintf(out, size, "damaged header: expected checksum %08llx, found %08llx", expected,
                    found);
      break;
    case OpenResult::kBadSize:
      std::snprintf(out, size, "wrong layout: expected %s %llu, found %llu", e.field, expected,
                    found);
      break;
  }
  return out;
}

inline std::uint32_t header_crc(const RegionHeader& header) noexcept {
  return crc32c(&header, offsetof(RegionHeader, crc));
}

inline RegionHeader make_header(const RegionKind& kind, std::uint64_t id,
                                std::uint64_t now_unix_ns) noexcept {
  RegionHeader header{};
  std::memcpy(header.magic, kind.magic, sizeof(header.magic));
  header.abi = kAbiVersion;
  header.header_size = kHeaderArea;
  header.file_size = kind.file_size;
  header.id = id;
  header.created_unix_ns = now_unix_ns;
  header.apps = kMaxApps;
  header.stride = kind.stride;
  header.entries = kind.entries;
  header.crc = header_crc(header);
  return header;
}

inline OpenError validate_header(const RegionHeader& header, std::uint64_t file_size,
                                 const RegionKind& kind) noexcept {
  OpenError error;
  const auto fail = [&error](OpenResult result, std::uint64_t expected, std::uint64_t found) {
    error.result = result;
    error.expected = expected;
    error.found = found;
    return error;
  };
  if (std::memcmp(header.magic, kind.magic, sizeof(header.magic)) != 0) {
    std::uint64_t expected = 0;
    std::uint64_t found = 0;
    std::memcpy(&expected, kind.magic, sizeof(expected));
    std::memcpy(&found, header.magic, sizeof(found));
    return fail(OpenResult::kBadMagic, expected, found);
  }
  if (header.abi != kAbiVersion) {
    return fail(OpenResult::kBadAbi, kAbiVersion, header.abi);
  }
  if (header.crc != header_crc(header)) {
    return fail(OpenResult::kBadChecksum, header_crc(header), header.crc);
  }
  struct {
    const char* field;
    std::uint64_t expected;
    std::uint64_t found;
  } const sizes[] = {{"header size", kHeaderArea, header.header_size},
                     {"file size", kind.file_size, header.file_size},
                     {"applications", kMaxApps, header.apps},
                     {"stride", kind.stride, header.stride},
                     {"entries", kind.entries, header.entries}};
  for (const auto& size : sizes) {
    if (size.expected != size.found) {
      error.field = size.field;
      return fail(OpenResult::kBadSize, size.expected, size.found);
    }
  }
  if (header.id == 0) {
    error.field = "an id other than";
    return fail(OpenResult::kBadSize, 0, 0);
  }
  if (file_size < kind.file_size) {
    return fail(OpenResult::kTooShort, kind.file_size, file_size);
  }
  return error;
}

// Opens without following a link, validates by pread (never through the mapping: a short file
// must not fault), hands out the descriptor. `flags`: O_RDONLY or O_RDWR.
inline OpenError open_region(const char* path, int flags, const RegionKind& kind,
                             UniqueFd& out) noexcept {
  OpenError error;
  UniqueFd fd(::open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) {
    error.error = errno;
    error.result = errno == ENOENT || errno == ENOTDIR ? OpenResult::kAbsent
                   : errno == ELOOP || errno == EISDIR || errno == ENXIO
                       ? OpenResult::kNotRegular  // a link, a folder, a socket
                       : OpenResult::kNoAccess;
    return error;
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    error.result = OpenResult::kIoError;
    error.error = errno;
    return error;
  }
  if (!S_ISREG(status.st_mode)) {
    error.result = OpenResult::kNotRegular;
    return error;
  }
  RegionHeader header{};
  const ssize_t got = ::pread(fd.get(), &header, sizeof(header), 0);
  if (got < 0) {
    error.result = OpenResult::kIoError;
    error.error = errno;
    return error;
  }
  if (static_cast<std::size_t>(got) < sizeof(header)) {
    error.result = OpenResult::kTooShort;
    error.expected = kind.file_size;
    error.found = static_cast<std::uint64_t>(status.st_size);
    return error;
  }
  error = validate_header(header, static_cast<std::uint64_t>(status.st_size), kind);
  if (error.result == OpenResult::kOk) {
    out = std::move(fd);
  }
  return error;
}

// Owner and mode that a created region gets; kKeep leaves what the process is.
struct RegionOwner {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  mode_t mode = 0644;
};

// Gives the open temporary file its final name. By its descriptor: a process with the same id in
// another container may have removed our name and be filling a file of its own under it.
inline int link_region_file(int fd, const char* temporary, const char* path) noexcept {
  char self[40];
  std::snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
  if (::linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) {
    return 0;
  }
  const int error = errno;
  struct stat status {};
  if (error != ENOENT || ::fstat(fd, &status) != 0) {
    return error;
  }
  if (status.st_nlink == 0) {
    return EBUSY;  // that other process is at work
  }
  return ::link(temporary, path) == 0 ? 0 : errno;  // no /proc here
}

// Puts `size` bytes under `path`, whole or not at all. 0, EEXIST when something is there already
// (it is left alone), or another errno. Nothing of a failed try stays behind.
inline int create_region_file(const char* path, const void* image, std::size_t size,
                              const RegionOwner& owner) noexcept {
  char temporary[4096];
  char folder[4096];
  const int length = std::snprintf(temporary, sizeof(temporary), "%s.%ld.new", path,
                                   static_cast<long>(::getpid()));
  if (length < 0 || static_cast<std::size_t>(length) >= sizeof(temporary)) {
    return ENAMETOOLONG;
  }
  std::snprintf(folder, sizeof(folder), "%s", path);
  char* slash = std::strrchr(folder, '/');
  if (slash == nullptr) {
    std::snprintf(folder, sizeof(folder), ".");
  } else {
    slash[slash == folder ? 1 : 0] = '\0';
  }
  ::unlink(temporary);  // of a process with this id that died here
  UniqueFd fd(::open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) {
    return errno;
  }
  int error = 0;
  const auto* bytes = static_cast<const char*>(image);
  for (std::size_t done = 0; done < size && error == 0;) {
    const ssize_t wrote = ::write(fd.get(), bytes + done, size - done);
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (wrote == 0) {
      error = ENOSPC;
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && (::fchown(fd.get(), owner.uid, owner.gid) != 0 ||
                     ::fchmod(fd.get(), owner.mode) != 0 || ::fsync(fd.get()) != 0)) {
    error = errno;
  }
  if (error == 0) {
    error = link_region_file(fd.get(), temporary, path);
  }
  ::unlink(temporary);
  if (error == 0) {
    UniqueFd directory(::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || ::fsync(directory.get()) != 0) {
      error = errno;
    }
  }
  return error;
}

}  // namespace bluegreen::shm
