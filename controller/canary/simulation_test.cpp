// The whole verdict on simulated traffic: how often an equal release is sent back, and how many
// requests a bad one gets before it is.
//
// The traffic is unkind in the ways that real one is: users come in bursts, latencies have a heavy
// tail (log-normal with a Pareto twentieth), and now and then everything is slow and fails for a
// while, on both sides. Looks as the deploy does: every 100 ms, three stages, one alpha.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <random>

#include "controller/canary/verdict.hpp"
#include "shm/histogram.hpp"

using namespace bluegreen;
using namespace bluegreen::canary;

namespace {

struct Release {
  double errors = 0.005;
  double added_ms = 0;
};

struct Stage {
  double weight;
  int tenths;  // of a second
};

struct End {
  bool sent_back = false;
  std::uint64_t requests = 0;  // that the new release had got by then
  double share = 0;            // of them, in all requests so far
};

class Site {
 public:
  explicit Site(std::uint64_t seed) : draw_(seed) {}

  // A tenth of a second: requests of both sides, counted as telemetry does.
  void pass_time(double weight, const Release& fresh, Totals& green, Totals& blue) {
    if (trouble_ == 0 && chance_(draw_) < 0.005) {
      trouble_ = 20;  // two seconds of a slow database
    }
    const double burst = chance_(draw_) < 0.1 ? 4 : 1;
    const int requests = std::poisson_distribution<int>(20 * burst)(draw_);
    for (int i = 0; i < requests; ++i) {
      const bool is_new = chance_(draw_) < weight;
      serve(is_new ? fresh : Release{}, is_new ? green : blue);
    }
    trouble_ -= trouble_ > 0 ? 1 : 0;
  }

 private:
  void serve(const Release& release, Totals& totals) {
    double ms = std::lognormal_distribution<double>(std::log(25), 0.8)(draw_);
    if (chance_(draw_) < 0.05) {
      ms += 50 / std::pow(1 - chance_(draw_), 1 / 1.3);  // Pareto: no variance
    }
    ms = (trouble_ > 0 ? ms * 5 : ms) + release.added_ms;
    const double errors = release.errors + (trouble_ > 0 ? 0.05 : 0);
    ++totals.ended;
    totals.errors += chance_(draw_) < errors ? 1 : 0;
    // NGINX's clock: whole milliseconds.
    ++totals.latency[shm::bucket_of(static_cast<std::uint64_t>(ms) * 1000)];
  }

  std::mt19937_64 draw_;
  std::uniform_real_distribution<double> chance_{0, 1};
  int trouble_ = 0;
};

End simulate(std::uint64_t seed, const Release& fresh) {
  const Stage stages[] = {{0.05, 300}, {0.25, 300}, {0.5, 300}};
  Site site(seed);
  Totals green{1, 0, 0, 0, std::vector<std::uint64_t>(shm::kBuckets)};
  Totals blue = green;
  const Limits limits;
  std::uint32_t used = 0;
  for (const Stage& stage : stages) {
    const Totals green_before = green;
    const Totals blue_before = blue;
    Looks looks(limits.alpha, used);
    for (int tenth = 1; tenth <= stage.tenths; ++tenth) {
      site.pass_time(stage.weight, fresh, green, blue);
      const bool last = tenth == stage.tenths;
      if (!looks.due(green.ended - green_before.ended) && !last) {
        continue;
      }
      const Window suspect = *window_between(green_before, green);
      const Window reference = *window_between(blue_before, blue);
      const Sides sides{suspect, "green", &reference, "blue"};
      const double alpha = looks.take(suspect.ended);
      const Finding found = last ? judge_at_end(sides, limits, alpha) : judge(sides, limits, alpha);
      if (found.outcome == Outcome::kFail) {
        return {true, green.ended,
                static_cast<double>(green.ended) / static_cast<double>(green.ended + blue.ended)};
      }
    }
    used = looks.used();
  }
  return {false, green.ended, 0};
}

struct Sum {
  int sent_back = 0;
  double mean_requests = 0;
  double worst_share = 0;
};

Sum runs_of(int runs, const Release& fresh) {
  Sum sum;
  for (int run = 0; run < runs; ++run) {
    const End end = simulate(static_cast<std::uint64_t>(run) + 1, fresh);
    sum.sent_back += end.sent_back ? 1 : 0;
    sum.mean_requests += static_cast<double>(end.requests) / runs;
    sum.worst_share = std::max(sum.worst_share, end.share);
  }
  return sum;
}

}  // namespace

TEST_CASE("equal release is sent back in at most 2 % of 200 canaries") {
  const Sum same = runs_of(200, {});
  std::printf("canary A/A: %d of 200 sent back\n", same.sent_back);
  CHECK(same.sent_back <= 4);
}

TEST_CASE("release with 5 % errors is sent back, early") {
  const Sum bad = runs_of(50, {0.055, 0});
  std::printf("canary +5 %% errors: %d of 50 sent back, after %.0f requests on it\n", bad.sent_back,
              bad.mean_requests);
  CHECK(bad.sent_back == 50);
  CHECK(bad.mean_requests < 1000);
}

TEST_CASE("release that takes 200 ms more is sent back, early") {
  const Sum bad = runs_of(50, {0.005, 200});
  std::printf("canary +200 ms: %d of 50 sent back, after %.0f requests on it\n", bad.sent_back,
              bad.mean_requests);
  CHECK(bad.sent_back == 50);
  CHECK(bad.mean_requests < 200);
  CHECK(bad.worst_share < 0.1);
}
