// A region file as a dump reads it: by pread, never mapped, so that a file that is too short or
// that somebody truncates meanwhile cannot fault.
//
// Every read is bounds-checked and says how much of it the file had; what it had not is zero.
// Owned by shm_dump's one thread. Errors are values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shm/region_file.hpp"

namespace bluegreen::shm_dump {

class RegionImage {
 public:
  // Empty on success, else why the file cannot be read at all.
  std::string open(const std::string& path);

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  int fd() const { return fd_.get(); }

  // Fills `out` from `offset`; the bytes that the file has there.
  std::size_t read(std::uint64_t offset, void* out, std::size_t size) const;

  // A private copy of a part of the region, on the heap: some are large.
  template <class Part>
  struct Copy {
    std::unique_ptr<Part> part;
    std::size_t present = 0;  // bytes of it that the file has
    bool whole() const { return present == sizeof(Part); }
    bool zero() const {
      const auto* bytes = reinterpret_cast<const unsigned char*>(part.get());
      for (std::size_t i = 0; i < sizeof(Part); ++i) {
        if (bytes[i] != 0) {
          return false;
        }
      }
      return true;
    }
    const Part& operator*() const { return *part; }
    const Part* operator->() const { return part.get(); }
  };
  template <class Part>
  Copy<Part> copy(std::uint64_t offset) const {
    Copy<Part> copy;
    copy.part = std::make_unique<Part>();
    copy.present = read(offset, static_cast<void*>(copy.part.get()), sizeof(Part));
    return copy;
  }

 private:
  std::string path_;
  shm::UniqueFd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace bluegreen::shm_dump
