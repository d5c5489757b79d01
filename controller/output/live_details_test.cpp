// An event's figures in the live view: bars, health, the traffic's split, drains, at every width.
#include "controller/output/live_details.hpp"

#include <catch2/catch.hpp>

#include "controller/output/live_view.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;
using Lines = std::vector<std::string>;

const system_clock::time_point kTold{seconds{1'700'000'000}};

// The lines below the step's own, `later` after they were told.
Lines figures(const EventDetails& details, std::size_t width, bool utf8 = true,
              seconds later = seconds{0}) {
  LiveModel model;
  model.apply({kTold, "step", StepState::kStarted, "", {}, {}});
  model.apply({kTold, "step", StepState::kProgress, "", {}, details});
  Lines lines;
  for (const LiveLine& line : lay_out(model, kTold + later, {width, 24, false, utf8})) {
    CHECK(line.columns == columns_of(line.text));
    CHECK(line.columns <= width);
    lines.push_back(line.text);
  }
  lines.erase(lines.begin());
  return lines;
}

PullDetails a_pull() {
  PullDetails pull{{{"0123456789abcdef", "Downloading", 4'500'000, 9'000'000},
                    {"b2", "Waiting", 0, 0},
                    {"c3", "Waiting", 0, 0},
                    {"d4", "Waiting", 0, 0},
                    {"e5", "Waiting", 0, 0},
                    {"f6", "Downloading", 1'000'000, 45'000'000}},
                   3,
                   9};
  return pull;
}

TrafficDetails a_split() {
  return {
      {{"green", 500, 412, 21, 1'200, 104'000, 0, false}, {"blue", 9'500, 8'000, 0, 0, 0, 0, true}},
      milliseconds{12'400}};
}

}  // namespace

TEST_CASE("pull: a bar each for a few layers, those that move first, the others counted") {
  CHECK(figures(a_pull(), 80) ==
        Lines{"  0123456789ab ███████████████░░░░░░░░░░░░░░░  50% 4.5 of 9.0 MB",
              "  f6           ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   2% 1.0 of 45.0 MB",
              "  b2           Waiting", "  c3           Waiting",
              "  and 2 more; 3 of 9 layers are here"});
  CHECK(figures(a_pull(), 200) == figures(a_pull(), 80));
  CHECK(figures(a_pull(), 20).front() == "  0123456789ab  50%…");
  CHECK(figures(a_pull(), 80, false).front() ==
        "  0123456789ab ###############...............  50% 4.5 of 9.0 MB");
}

TEST_CASE("health: what the runtime and what NGINX's probes say") {
  CHECK(figures(HealthDetails{"green", "starting", "", 0, 0}, 80) ==
        Lines{"  green: runtime says starting"});
  CHECK(figures(HealthDetails{"green", "", "unhealthy", 3, 1}, 80) ==
        Lines{"  green: NGINX says unhealthy (1 of 3 endpoints)"});
}

TEST_CASE("traffic: share, errors and latency of both colors, and what is left of the stage") {
  CHECK(figures(a_split(), 80, true, seconds{2}) ==
        Lines{"  green     5%  412 requests, 5.10% errors, p50 1.2 ms, p90 104 ms",
              "  blue  before  8000 requests, 0.00% errors", "  11s left"});
  CHECK(figures(a_split(), 20).front() == "  green     5%  412…");
}

TEST_CASE("drain: the count, and how old what is left must be at least") {
  const DrainDetails drain{"blue", 12, milliseconds{8'000}, milliseconds{22'000}, {}, {}};
  CHECK(figures(drain, 80) == Lines{"  12 requests on blue, running for at least 8s, 22s left"});
  CHECK(figures(drain, 80, true, seconds{60}) ==
        Lines{"  12 requests on blue, running for at least 1m08s, 0s left"});
  DrainDetails known = drain;
  known.oldest = seconds{61};
  known.long_lived = 3;
  CHECK(figures(known, 80) == Lines{"  12 requests on blue, waited 8s, 22s left",
                                    "  the longest has run for 1m01s",
                                    "  3 of them long-lived connections"});
}

TEST_CASE(
    "figures: without UTF-8 every byte is ASCII, no width is too small, and a step's end "
    "takes them away") {
  for (const EventDetails& details :
       {EventDetails(a_pull()), EventDetails(a_split()),
        EventDetails(HealthDetails{"gr\033[2Jeen", "naïve", "", 0, 0})}) {
    for (std::size_t width = 1; width < 100; ++width) {
      for (const std::string& line : figures(details, width, false)) {
        for (const char c : line) {
          CHECK((c >= 0x20 && c < 0x7F));
        }
      }
    }
  }
  LiveModel model;
  model.apply({kTold, "pull", StepState::kProgress, "", {}, a_pull()});
  CHECK(lay_out(model, kTold, {80, 24, false, true}).size() == 6);
  model.apply({kTold, "pull", StepState::kDone, "here", milliseconds{1}, {}});
  CHECK(lay_out(model, kTold, {80, 24, false, true}).size() == 1);
}

}  // namespace bluegreen
