// The judge: what is stale, what may not be counted, and the detector itself on a delayed flip.
#include "tools/loadgen/judge.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

namespace {

using namespace bluegreen::loadgen;

constexpr std::uint64_t kMs = 1'000'000;

Sample sample(std::uint64_t start_ms, std::uint64_t end_ms, std::string_view color,
              std::string_view error = "") {
  Sample s;
  s.start_ns = start_ms * kMs;
  s.end_ns = end_ms * kMs;
  s.status = 200;
  s.color = color;
  s.error = error;
  return s;
}

Judge with_flips(std::vector<Flip> flips) {
  for (Flip& flip : flips) {
    flip.begin_ns *= kMs;
    flip.return_ns *= kMs;
  }
  Judge judge;
  REQUIRE(judge.set_flips(std::move(flips)).empty());
  return judge;
}

// A client that asks every millisecond while a router moves to green `lag` ms after the flip's
// return, and back to blue with the next flip, which has no lag.
Verdict with_lag(std::uint64_t lag) {
  Judge judge = with_flips({{100, 105, "green"}, {200, 205, "blue"}});
  for (std::uint64_t t = 0; t < 300; ++t) {
    const bool green = t >= 105 + lag && t < 203;
    judge.look_at(sample(t, t + 1, green ? "green" : "blue"));
  }
  return judge.verdict();
}

}  // namespace

TEST_CASE("Judge finds the stale requests of a delayed flip and none of a prompt one") {
  CHECK(with_lag(0).stale == 0);
  const Verdict late = with_lag(20);
  // Those that began at 106 to 124; the one at 105 began when the flip returned, not after.
  CHECK(late.stale == 19);
  CHECK(late.last_stale_ms == Approx(20));
  CHECK(late.flips == 2);
}

TEST_CASE("Judge counts only what began after a flip's return and ended before the next begin") {
  Judge judge = with_flips({{100, 110, "green"}, {200, 210, "blue"}});
  judge.look_at(sample(99, 120, "blue"));    // began before the flip
  judge.look_at(sample(105, 150, "blue"));   // began before it returned
  judge.look_at(sample(110, 150, "blue"));   // at the very return
  judge.look_at(sample(150, 200, "blue"));   // answered when the next one began
  judge.look_at(sample(150, 250, "blue"));   // across the next one
  judge.look_at(sample(150, 250, "green"));  //
  judge.look_at(sample(201, 205, "green"));  // within the next one
  CHECK(judge.verdict().stale == 0);
  CHECK(judge.verdict().judged == 0);
  judge.look_at(sample(111, 199, "blue"));
  CHECK(judge.verdict().stale == 1);
  judge.look_at(sample(211, 999, "green"));  // after the last flip there is no end
  CHECK(judge.verdict().stale == 2);
  judge.look_at(sample(111, 199, "green"));
  judge.look_at(sample(211, 999, "blue"));
  CHECK(judge.verdict().stale == 2);
  CHECK(judge.verdict().judged == 4);
  CHECK(judge.verdict().requests == 11);
}

TEST_CASE("Judge counts failures and answers that say no color apart") {
  Judge judge = with_flips({{100, 110, "green"}});
  judge.look_at(sample(120, 121, "", "closed"));
  judge.look_at(sample(120, 121, "blue", "status"));
  judge.look_at(sample(120, 121, ""));
  judge.look_at(sample(20, 21, "", "timeout"));
  CHECK(judge.verdict().failed == 3);
  CHECK(judge.verdict().uncolored == 1);
  CHECK(judge.verdict().stale == 1);
}

TEST_CASE("Judge without flips judges nothing") {
  Judge judge = with_flips({});
  judge.look_at(sample(1, 2, "blue"));
  CHECK(judge.verdict().stale == 0);
  CHECK(judge.verdict().judged == 0);
  CHECK(judge.verdict().requests == 1);
}

TEST_CASE("Judge refuses flips that cannot be judged") {
  Judge judge;
  CHECK(judge.set_flips({{10, 5, "blue"}}) == "flip 1: it returned before it began");
  CHECK(judge.set_flips({{1, 5, "blue"}, {4, 8, "green"}}) ==
        "flip 2: it began before the one before it had returned");
  CHECK(judge.set_flips({{1, 5, "red"}}) == "flip 1: expected blue or green, found \"red\"");
}

TEST_CASE("read_flips reads lines and names the one that is none") {
  char path_of[] = "/tmp/loadgen-flips-XXXXXX";
  ::close(::mkstemp(path_of));
  const std::string path = path_of;
  std::ofstream(path) << "1 2 blue\n\n3 4 green\n";
  std::vector<Flip> flips;
  CHECK(read_flips(path, flips).empty());
  REQUIRE(flips.size() == 2);
  CHECK(flips[1].begin_ns == 3);
  CHECK(flips[1].color == "green");
  std::ofstream(path) << "1 2 blue\n3 green 4\n";
  CHECK(read_flips(path, flips) == path + ":2: \"3 green 4\" is not \"begin_ns return_ns color\"");
  std::remove(path.c_str());
}
