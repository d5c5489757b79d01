// One look at the telemetry file: opened by pread, every offset from shm, every index checked by
// the caller against what this says. Internal to telemetry_file.cpp and telemetry_detail.cpp.
//
// Whatever is asked of a file that is cut meanwhile is answered with false or nothing; nothing
// throws, nothing is mapped. One thread.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/telemetry_detail.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen {

// The fields of a slot's head that are read here, in their place (static_asserted in
// shm/telemetry_region.hpp).
struct SlotHead {
  std::uint32_t state;
  std::uint32_t pid;
  std::uint64_t taken_unix_ns;
  std::uint64_t attached_control;
};

// A color's Counters, as plain numbers: the fields' order is theirs.
struct Gauges {
  std::uint64_t in_flight;
  std::uint64_t requests;
  std::uint64_t responses[5];
  std::uint64_t no_response;
  std::uint64_t tries;
  std::uint64_t failures;
  std::uint64_t withdrawn;
  std::uint64_t waiting;
  std::uint64_t weighted;
  std::uint64_t previews;
  std::uint64_t fallbacks;
  std::uint64_t refused;
};
static_assert(sizeof(Gauges) == sizeof(shm::Counters) &&
              offsetof(Gauges, requests) == offsetof(shm::Counters, requests) &&
              offsetof(Gauges, waiting) == offsetof(shm::Counters, waiting) &&
              offsetof(Gauges, refused) == offsetof(shm::Counters, refused));

inline bool read_at(int fd, std::uint64_t offset, void* to, std::size_t size) {
  return ::pread(fd, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

// One look at the file. Everything is empty when the file is cut while it is read.
class Look {
 public:
  explicit Look(const std::string& path) : path_(path) {
    error_ = shm::open_region(path.c_str(), O_RDONLY, shm::kTelemetryKind, fd_);
  }

  shm::OpenResult result() const { return error_.result; }
  bool ok() const { return error_.result == shm::OpenResult::kOk; }
  std::string why() const {
    if (path_.empty()) {
      return "no telemetry file is named";
    }
    std::array<char, 256> text{};
    return path_ + ": " + shm::describe(error_, shm::kTelemetryKind, text.data(), text.size());
  }
  std::string cut() const { return path_ + ": it was cut while it was read"; }

  bool header(shm::RegionHeader& out) const { return read_at(fd_.get(), 0, &out, sizeof(out)); }
  std::optional<std::uint64_t> slotless() const {
    std::uint64_t count = 0;
    return read_at(fd_.get(), offsetof(shm::TelemetryRegion, slotless), &count, sizeof(count))
               ? std::optional(count)
               : std::nullopt;
  }

  // The index of an application's name; kMaxApps when NGINX has no upstream for it. Empty: cut.
  std::optional<std::uint32_t> app_index(std::string_view app) const {
    std::vector<char> bytes(sizeof(shm::AppName) * shm::kMaxApps);
    if (!read_at(fd_.get(), offsetof(shm::TelemetryRegion, names), bytes.data(), bytes.size())) {
      return std::nullopt;
    }
    for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
      const char* entry = bytes.data() + i * sizeof(shm::AppName);
      std::uint32_t state = 0;
      char name[shm::kAppNameSize];
      std::memcpy(&state, entry + offsetof(shm::AppName, state), sizeof(state));
      std::memcpy(name, entry + offsetof(shm::AppName, name), sizeof(name));
      if (state == 1 && shm::text_of(name) == app) {
        return i;
      }
    }
    return shm::kMaxApps;
  }

  shm::SlotLife life(std::uint32_t slot) const { return shm::slot_life(fd_.get(), slot); }
  bool read(std::uint64_t offset, void* to, std::size_t size) const {
    return read_at(fd_.get(), offset, to, size);
  }
  // As the kernel says now; 0 when it does not.
  std::uint64_t size() const {
    struct stat status {};
    return ::fstat(fd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
  bool head(std::uint32_t slot, SlotHead& out) const {
    return read_at(fd_.get(), shm::slot_offset(slot), &out, sizeof(out));
  }
  bool gauges(std::uint32_t slot, std::uint32_t app, Color color, Gauges& out) const {
    const std::uint64_t offset =
        shm::slot_offset(slot) + offsetof(shm::Slot, counters) +
        (std::uint64_t{app} * 2 + shm::index_of(color)) * sizeof(shm::Counters);
    return read_at(fd_.get(), offset, &out, sizeof(out));
  }

 private:
  const std::string& path_;
  shm::UniqueFd fd_;
  shm::OpenError error_;
};

}  // namespace bluegreen
