// The pool of blocks that requests in flight use.
#include "ngx_module/core/block_pool.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <set>
#include <vector>

namespace {

struct Block {
  Block* next_free;
  std::uint64_t content;
  char more[100];
};

using Pool = bluegreen::core::BlockPool<Block>;

}  // namespace

TEST_CASE("Block pool hands out distinct blocks that do not overlap") {
  Pool pool;
  std::set<std::uintptr_t> starts;
  for (std::size_t i = 0; i < 3 * Pool::kPerChunk; ++i) {
    Block* const block = pool.take();
    REQUIRE(block != nullptr);
    const auto start = reinterpret_cast<std::uintptr_t>(block);
    CHECK(start % 64 == 0);
    const auto next = starts.lower_bound(start);
    CHECK((next == starts.end() || *next >= start + sizeof(Block)));
    CHECK((next == starts.begin() || *std::prev(next) + sizeof(Block) <= start));
    starts.insert(start);
    *block = {nullptr, i, {}};
  }
  CHECK(starts.size() == 3 * Pool::kPerChunk);
  CHECK(pool.size() == 3 * Pool::kPerChunk);
}

TEST_CASE("Block pool uses what was given back before it makes more") {
  Pool pool;
  for (int round = 0; round < 100; ++round) {
    std::vector<Block*> taken;
    for (std::size_t i = 0; i < Pool::kPerChunk; ++i) {
      taken.push_back(pool.take());
    }
    for (Block* const block : taken) {
      pool.give_back(block);
    }
  }
  CHECK(pool.size() == Pool::kPerChunk);
}

TEST_CASE("Block pool leaves a block's content alone until it is taken again") {
  Pool pool;
  Block* const block = pool.take();
  block->content = 42;
  pool.give_back(block);
  Block* const another = pool.take();
  CHECK(another == block);
  CHECK(another->content == 42);
}
