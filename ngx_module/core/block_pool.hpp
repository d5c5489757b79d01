// Equal blocks of memory that are used again and again: one for each request in flight.
//
// Blocks are made kPerChunk at a time, when none is free, and stay with the pool until it goes: it
// holds as many as were ever in use at once, rounded up, whatever is published or switched
// meanwhile. A block that was given back keeps its content until it is taken again; `next_free` is
// the pool's while it is free. Nothing is constructed: T is plain data that its taker fills.
//
// One thread, a worker's. take() fails by nullptr, without memory.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <type_traits>

namespace bluegreen::core {

template <typename T>
class BlockPool {
 public:
  static constexpr std::size_t kPerChunk = 32;

  BlockPool() noexcept = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool() {
    while (chunks_ != nullptr) {
      Chunk* const chunk = chunks_;
      chunks_ = chunk->next;
      std::free(chunk);
    }
  }

  T* take() noexcept {
    if (__builtin_expect(static_cast<long>(free_ == nullptr), 0) != 0 && !grow()) {
      return nullptr;
    }
    T* const block = free_;
    free_ = block->next_free;
    return block;
  }

  void give_back(T* block) noexcept {
    block->next_free = free_;
    free_ = block;
  }

  // Blocks made so far, free or not.
  std::size_t size() const noexcept { return chunk_count_ * kPerChunk; }

 private:
  // Each chunk begins with a cache line of its own for this.
  struct Chunk {
    Chunk* next;
  };
  static constexpr std::size_t kLine = 64;

  __attribute__((noinline)) bool grow() noexcept {
    static_assert(std::is_trivial_v<T> && alignof(T) <= kLine);
    constexpr std::size_t kStride = (sizeof(T) + kLine - 1) / kLine * kLine;
    auto* const memory = static_cast<char*>(std::aligned_alloc(kLine, kLine + kPerChunk * kStride));
    if (memory == nullptr) {
      return false;
    }
    auto* const chunk = reinterpret_cast<Chunk*>(memory);
    chunk->next = chunks_;
    chunks_ = chunk;
    ++chunk_count_;
    for (std::size_t i = kPerChunk; i-- > 0;) {
      give_back(reinterpret_cast<T*>(memory + kLine + i * kStride));
    }
    return true;
  }

  T* free_ = nullptr;
  Chunk* chunks_ = nullptr;
  std::size_t chunk_count_ = 0;
};

}  // namespace bluegreen::core
