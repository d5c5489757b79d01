// The protocol that makes drain exact: announce, look again, go on or withdraw.
//
// Worker, for each first try, retry or other way to a color:
//   1. choose a color from the route word w
//   2. announce: gauge[color] + 1, sequentially consistent
//   3. load the word again, sequentially consistent; if it is w, or another word that does not
//      close this color, go on
//   4. else withdraw: gauge[color] - 1, and begin anew, at most kMaxMoves times
// Controller, to drain a color:
//   1. store a word that closes the color, sequentially consistent (store_route)
//   2. read the gauges of all live slots until they are 0
//
// Why 0 is the truth: the worker stores its gauge before it loads the word, the controller stores
// the word before it reads the gauge, all four in one total order. So if the worker's load missed
// the closing word, its gauge store came before the controller's read, which then was not 0. A
// request that has announced and gone on keeps its gauge until it has ended.
//
// Gauges have one writer, the slot's owner; nothing here waits or fails. Called by workers only.
#pragma once

#include <atomic>
#include <cstdint>

#include "shm/limits.hpp"

namespace bluegreen::shm {

// Route words that may pass by between one request's choice and its second look before it gives
// up with 503. Each costs bgctl a durable store, so a request that sees eight has other troubles.
inline constexpr int kMaxMoves = 8;

inline void announce(std::atomic<std::uint64_t>& gauge) noexcept {
  // Relaxed: the only writer reads what it wrote itself.
  const std::uint64_t now = gauge.load(std::memory_order_relaxed);
  // Sequentially consistent pairs with the controller's store_route; the caller's next load of
  // the word (load_again) is its other half.
  gauge.store(now + 1, std::memory_order_seq_cst);
}

inline std::uint64_t load_again(const std::atomic<std::uint64_t>& word) noexcept {
  // Sequentially consistent pairs with store_route: ordered behind the gauge's store.
  return word.load(std::memory_order_seq_cst);
}

// The end of a request, or of a try that may not go on.
inline void withdraw(std::atomic<std::uint64_t>& gauge) noexcept {
  // Relaxed: the only writer reads what it wrote itself.
  const std::uint64_t now = gauge.load(std::memory_order_relaxed);
  // Release pairs with the controller's read: what the request did is before its gauge falls.
  gauge.store(now == 0 ? 0 : now - 1, std::memory_order_release);
}

// Counters and other figures of one writer: no order is needed, readers add them up later.
inline void count(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) noexcept {
  // Relaxed pairs with readers' relaxed loads: each value counts alone.
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace bluegreen::shm
