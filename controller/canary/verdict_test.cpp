// Unit tests of verdict.hpp: each check finds what it is for, says so in one sentence, and keeps
// still when there is nothing, or too little.
#include "controller/canary/verdict.hpp"

#include <catch2/catch.hpp>

#include "shm/histogram.hpp"

using namespace bluegreen;
using namespace bluegreen::canary;

namespace {

Window traffic(std::uint64_t requests, std::uint64_t errors, std::uint64_t latency_us = 20'000) {
  Window window{requests, errors, requests, std::vector<std::uint64_t>(shm::kBuckets)};
  window.latency[shm::bucket_of(latency_us)] = requests;
  return window;
}

Finding at_end(const Window& green, const Window& blue, const Limits& limits = {}) {
  return judge_at_end({green, "green", &blue, "blue"}, limits, 0.005);
}

}  // namespace

TEST_CASE("equal sides pass and the sentence has their figures") {
  const Finding found = at_end(traffic(400, 2), traffic(3600, 18));
  CHECK(found.outcome == Outcome::kPass);
  CHECK(found.why ==
        "green failed 2 of 400 (0.50 %) requests, blue 18 of 3600 (0.50 %); neither errors nor "
        "latency are worse");
}

TEST_CASE("more errors fail, with the test and its p-value") {
  const Finding found = at_end(traffic(400, 20), traffic(3600, 18));
  CHECK(found.outcome == Outcome::kFail);
  CHECK_THAT(found.why, Catch::StartsWith("green fails more often: 20 of 400 (5.00 %) requests "
                                          "against 18 of 3600 (0.50 %) of blue (Fisher's exact "
                                          "test, p = "));
}

TEST_CASE("fewer errors and faster answers are never a reason") {
  CHECK(at_end(traffic(400, 0, 5'000), traffic(3600, 360, 500'000)).outcome == Outcome::kPass);
}

TEST_CASE("difference within the tolerance passes, however sure it is") {
  Limits limits;
  limits.error_tolerance = 0.02;
  CHECK(at_end(traffic(100'000, 3'000), traffic(100'000, 1'500), limits).outcome == Outcome::kPass);
  limits.error_tolerance = 0.001;
  CHECK(at_end(traffic(100'000, 3'000), traffic(100'000, 1'500), limits).outcome == Outcome::kFail);
}

TEST_CASE("slower quantile fails, beyond tolerance, slack and the bucket's width") {
  const Finding found = at_end(traffic(400, 0, 220'000), traffic(3600, 0));
  CHECK(found.outcome == Outcome::kFail);
  CHECK_THAT(found.why, Catch::StartsWith("green is slower: p50 of 400 answers is at least "));
  // 20 ms: 20 % and 10 ms more are 34 ms.
  CHECK(at_end(traffic(400, 0, 33'000), traffic(3600, 0)).outcome == Outcome::kPass);
  CHECK(at_end(traffic(400, 0, 40'000), traffic(3600, 0)).outcome == Outcome::kFail);
}

TEST_CASE("only the slow tenth is enough, once it is sure") {
  Window green = traffic(800, 0);
  green.latency[shm::bucket_of(20'000)] = 640;
  green.latency[shm::bucket_of(900'000)] = 160;
  const Finding found = at_end(green, traffic(3600, 0));
  CHECK(found.outcome == Outcome::kFail);
  CHECK_THAT(found.why, Catch::StartsWith("green is slower: p90"));
}

TEST_CASE("absolute limits hold with nothing to compare with") {
  Limits limits;
  limits.max_error_rate = 0.01;
  limits.max_latency_us = {0, 0, 100'000};
  const auto alone = [&](const Window& green) {
    return judge_at_end({green, "green", nullptr, ""}, limits, 0.005);
  };
  CHECK(alone(traffic(1000, 10)).outcome == Outcome::kPass);  // as the limit: not surely above it
  const Finding errors = alone(traffic(1000, 40));
  CHECK(errors.outcome == Outcome::kFail);
  CHECK_THAT(errors.why, Catch::StartsWith("green fails above the limit: 40 of 1000 (4.00 %) "
                                           "requests, at most 1.00 % are allowed (binomial"));
  const Finding slow = alone(traffic(1000, 0, 150'000));
  CHECK(slow.outcome == Outcome::kFail);
  CHECK_THAT(slow.why,
             Catch::Contains("p99 of 1000 answers is at least 147 ms, at most 100 ms is allowed"));
}

TEST_CASE("limit that both sides exceed still fails") {
  Limits limits;
  limits.max_error_rate = 0.05;
  CHECK(at_end(traffic(1000, 200), traffic(1000, 200), limits).outcome == Outcome::kFail);
}

TEST_CASE("too few requests are undecided at the end, whichever side it is") {
  CHECK(at_end(traffic(49, 0), traffic(3600, 0)).outcome == Outcome::kUndecided);
  const Finding found = at_end(traffic(400, 0), traffic(3, 0));
  CHECK(found.outcome == Outcome::kUndecided);
  CHECK(found.why == "blue had 3 requests, 50 are needed to tell");
  CHECK(at_end(traffic(0, 0), traffic(0, 0)).outcome == Outcome::kUndecided);
}

TEST_CASE("few requests that all fail are enough to tell that it is worse") {
  CHECK(at_end(traffic(10, 10), traffic(90, 0)).outcome == Outcome::kFail);
}

TEST_CASE("first slow answers of a release that has just been started say nothing") {
  CHECK(at_end(traffic(49, 0, 900'000), traffic(3600, 0)).outcome == Outcome::kUndecided);
  CHECK(at_end(traffic(50, 0, 900'000), traffic(3600, 0)).outcome == Outcome::kFail);
}

TEST_CASE("previews do not make up the traffic that is needed") {
  Window green = traffic(60, 0);
  green.users = 40;
  CHECK(at_end(green, traffic(3600, 0)).outcome == Outcome::kUndecided);
}

TEST_CASE("one look in the middle never passes") {
  const Window green = traffic(4000, 0);
  const Window blue = traffic(4000, 0);
  CHECK(judge({green, "green", &blue, "blue"}, {}, 0.005).outcome == Outcome::kUndecided);
}

TEST_CASE("looks come with twice the traffic and cost no more than alpha together") {
  Looks looks(0.01);
  CHECK_FALSE(looks.due(9));
  CHECK(looks.due(10));
  double spent = looks.take(12);
  CHECK_FALSE(looks.due(23));
  CHECK(looks.due(24));
  for (std::uint64_t requests = 24; requests < 1'000'000'000; requests *= 2) {
    spent += looks.take(requests);
  }
  CHECK(spent < 0.01);
  // Stages of one deploy share one alpha.
  Looks next(0.01, looks.used());
  spent += next.take(10);
  CHECK(spent < 0.01);
}
