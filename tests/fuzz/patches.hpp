// Input bytes as damage of a region: patches that are put into a whole one and taken out again, so
// that a region of megabytes costs an input no more than the bytes that it changes.
//
// Input: one byte of options, then patches of 4 bytes position, 1 byte length, the bytes. Fuzzers
// only; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bluegreen::fuzz {

// A broken promise ends the fuzzer with the input that broke it.
inline void expect(bool kept) {
  if (!kept) {
    __builtin_trap();
  }
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  std::size_t left() const { return left_; }
  template <typename T>
  T take() {
    T value{};
    const std::size_t size = left_ < sizeof(T) ? left_ : sizeof(T);
    std::memcpy(&value, data_, size);
    skip(size);
    return value;
  }
  // At most `size` bytes.
  const char* bytes(std::size_t& size) {
    size = size < left_ ? size : left_;
    const char* at = reinterpret_cast<const char*>(data_);
    skip(size);
    return at;
  }

 private:
  void skip(std::size_t size) {
    data_ += size;
    left_ -= size;
  }
  const std::uint8_t* data_;
  std::size_t left_;
};

class Patched {
 public:
  explicit Patched(void* region) : region_(static_cast<char*>(region)) {}
  Patched(const Patched&) = delete;
  Patched& operator=(const Patched&) = delete;
  ~Patched() {
    for (auto patch = undo_.rbegin(); patch != undo_.rend(); ++patch) {
      std::memcpy(region_ + patch->at, patch->before, patch->size);
    }
  }
  void put(std::size_t at, const void* bytes, std::size_t size) {
    const char* from = static_cast<const char*>(bytes);
    while (size != 0) {
      Patch patch{at, size < sizeof(Patch::before) ? size : sizeof(Patch::before), {}};
      std::memcpy(patch.before, region_ + at, patch.size);
      std::memcpy(region_ + at, from, patch.size);
      undo_.push_back(patch);
      at += patch.size;
      from += patch.size;
      size -= patch.size;
    }
  }
  // Patches of the input, each in [begin, end) as `place` maps its position.
  template <typename Place>
  void put_all(Input& input, const Place& place) {
    while (!input.empty()) {
      const auto position = input.take<std::uint32_t>();
      std::size_t size = input.take<std::uint8_t>() % sizeof(Patch::before);
      const char* bytes = input.bytes(size);
      std::size_t limit = 0;
      const std::size_t at = place(position, limit);
      put(at, bytes, size < limit - at ? size : limit - at);
    }
  }

 private:
  struct Patch {
    std::size_t at;
    std::size_t size;
    char before[64];
  };
  char* region_;
  std::vector<Patch> undo_;
};

}  // namespace bluegreen::fuzz
