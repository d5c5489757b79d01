// The verdict on a record: which requests failed, and which were stale after a flip.
//
// FLIPS has one line a flip, in order of time: "begin_ns return_ns color" (CLOCK_MONOTONIC; the
// command's start, its return, the color that it made active). A request is stale when it
//   1. began after a flip's return,
//   2. was answered before the next flip's begin (the last flip has no next one),
//   3. was served by another color than that flip's.
// Requests that touch a flip in progress, or that began before the first one returned, may have
// either color and are not judged; a request that carries no color cannot be, and is counted as
// `uncolored` so that "0 stale" is never the answer of a backend that does not say its color.
//
// Pure but for reading the two files; errors are values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/loadgen/record.hpp"

namespace bluegreen::loadgen {

struct Flip {
  std::uint64_t begin_ns = 0;
  std::uint64_t return_ns = 0;
  std::string color;
};

struct Verdict {
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  std::uint64_t stale = 0;
  std::uint64_t judged = 0;     // requests that lay between two flips and said their color
  std::uint64_t uncolored = 0;  // answered between two flips, without saying a color
  double last_stale_ms = 0;     // the latest answer of a stale request, after its flip's return
  std::uint64_t flips = 0;
};

class Judge {
 public:
  // Empty on success, else what is wrong with the flips.
  std::string set_flips(std::vector<Flip> flips);
  void look_at(const Sample& sample);
  const Verdict& verdict() const { return verdict_; }

 private:
  std::vector<Flip> flips_;
  Verdict verdict_;
};

// Reads FLIPS. Empty on success, else what is wrong, with the line.
std::string read_flips(const std::string& path, std::vector<Flip>& out);

}  // namespace bluegreen::loadgen
