// The summary's figures: exact percentiles, and what counts as failed.
#include "tools/loadgen/summary.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen::loadgen;

TEST_CASE("Summary gives exact percentiles over answered requests and the slowest of all") {
  Summary summary;
  for (std::uint64_t ms = 100; ms >= 1; --ms) {
    summary.add({0, ms * 1'000'000, 200, ms % 2 == 0 ? "blue" : "green", "v1", 1, ""});
  }
  summary.add({0, 10'000'000'000, 0, "", "", 2, "timeout"});
  summary.set_connections(18, 16);
  CHECK(summary.json() ==
        R"({"requests":101,"failed":1,"reconnects":2,"by_color":{"blue":50,"green":50},)"
        R"("by_release":{"v1":100},"errors":{"timeout":1},"slowest_ms":10000.0,"p50_ms":50.0,)"
        R"("p99_ms":99.0,"seconds":0.0})");
}

TEST_CASE("Summary of no request is zeroes") {
  Summary summary;
  CHECK(summary.json().find(R"("requests":0,"failed":0,"reconnects":0)") != std::string::npos);
  CHECK(summary.json().find(R"("p50_ms":0.0)") != std::string::npos);
}
