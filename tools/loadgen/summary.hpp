// What a load says at its end: counts, and exact percentiles (every latency is kept).
//
// p50 and p99 are over answered requests; the slowest is over all, timed-out ones included.
// Fed by the load's thread, printed by main as one JSON object. Cannot fail.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tools/loadgen/judge.hpp"
#include "tools/loadgen/record.hpp"

namespace bluegreen::loadgen {

class Summary {
 public:
  void add(const Sample& sample);
  void set_connections(std::uint64_t made, std::uint64_t clients);
  void set_seconds(double seconds) { seconds_ = seconds; }
  std::uint64_t requests() const { return requests_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t reconnects() const { return reconnects_; }
  std::string json();

 private:
  double percentile_ms(double share);

  std::uint64_t requests_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t reconnects_ = 0;
  std::uint64_t slowest_ns_ = 0;
  double seconds_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_color_;
  std::map<std::string, std::uint64_t, std::less<>> by_release_;
  std::map<std::string, std::uint64_t, std::less<>> errors_;
  std::vector<std::uint64_t> answered_ns_;
};

std::string to_json(const Verdict& verdict);

}  // namespace bluegreen::loadgen
