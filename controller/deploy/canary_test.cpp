// Unit tests of steps/canary.hpp, traffic_watch.hpp and the soak's judging, over the fake world:
// its clock moves with each look, and users come with the clock.
#include <catch2/catch.hpp>

#include "controller/deploy/deploy_fixture.hpp"
#include "controller/deploy/steps/canary.hpp"
#include "shm/histogram.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

// Users of both colors, by the route's split: `rate` requests a second.
class Users {
 public:
  explicit Users(FakeWorld& world) : world_(world), since_(world.time) {
    for (TrafficFigures& totals : totals_) {
      totals.telemetry_id = 1;
      totals.latency.resize(shm::kBuckets);
    }
    world.traffic_says = [this](Color color) {
      come();
      return totals_[shm::index_of(color)];
    };
  }

  double rate = 100;
  double green_errors = 0;
  std::uint64_t green_latency_us = 20'000;
  std::uint64_t on_green() const { return ended(totals_[1]); }
  void restart_telemetry() {
    for (TrafficFigures& totals : totals_) {
      totals = {totals.telemetry_id + 1, {}, std::vector<std::uint64_t>(shm::kBuckets)};
    }
  }

 private:
  static std::uint64_t ended(const TrafficFigures& totals) {
    return totals.counts.responses[1] + totals.counts.responses[4];
  }
  void come() {
    const double seconds = std::chrono::duration<double>(world_.time - since_).count();
    since_ = world_.time;
    const bool green_serves = world_.region.route.active == Color::kGreen;
    const double share = green_serves ? 1 : world_.region.route.weight / 10'000.0;
    due_[1] += seconds * rate * share;
    due_[0] += seconds * rate * (1 - share);
    for (std::size_t c = 0; c < 2; ++c) {
      for (; due_[c] >= 1; due_[c] -= 1) {
        failed_[c] += c == 1 ? green_errors : 0;
        const bool fails = failed_[c] >= 1;
        failed_[c] -= fails ? 1 : 0;
        ++totals_[c].counts.responses[fails ? 4 : 1];
        ++totals_[c].latency[shm::bucket_of(c == 1 ? green_latency_us : 20'000)];
      }
    }
  }

  FakeWorld& world_;
  std::chrono::steady_clock::time_point since_;
  TrafficFigures totals_[2];
  double due_[2] = {0, 0};
  double failed_[2] = {0, 0};
};

AppConfig canary_config() {
  AppConfig config = quick_config();
  config.canary.stages = {{1'000, 30s, 50}, {5'000, 30s, 50}};
  return config;
}

std::vector<std::string> notes_of(const FakeWorld& world, const std::string& step) {
  std::vector<std::string> notes;
  for (const Event& event : world.events) {
    if (event.step == step && event.state == StepState::kProgress) {
      notes.push_back(event.text);
    }
  }
  return notes;
}

}  // namespace

TEST_CASE("equal release gets its shares, stage by stage, and then everything") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  const auto before = world.time;
  const Verdict verdict = deploy_image(world, "v2", canary_config()).verdict;
  CAPTURE(verdict.reason);
  CHECK(verdict.code == ExitCode::kDone);
  CHECK(position(world.log, "weight 1000") < position(world.log, "weight 5000"));
  CHECK(position(world.log, "weight 5000") < position(world.log, "activate green"));
  CHECK(world.time - before >= 60s);
  CHECK(world.region.route.weight == 0);
  const auto notes = notes_of(world, "canary");
  CHECK_THAT(notes.back(), Catch::StartsWith("50% to green passed: green failed 0 of 1"));
  CHECK(notes.size() > 50);  // once a second
  CHECK(notes.size() < 70);
  CHECK_THAT(notes[10], Catch::StartsWith("10% to green; green: 100 requests, 0 errors"));
  CHECK_THAT(notes[10], Catch::Contains("errors (0.00 %), p90 20 ms; blue: "));
  const auto told = std::find_if(world.events.begin(), world.events.end(),
                                 [&](const Event& event) { return event.text == notes[10]; });
  const auto& split = std::get<TrafficDetails>(told->details);
  REQUIRE(split.sides.size() == 2);
  CHECK(split.sides[0].color == "green");
  CHECK(split.sides[0].share_bp == 1'000);
  CHECK(split.sides[1].share_bp == 9'000);
  CHECK(split.sides[1].requests > split.sides[0].requests);
  CHECK(split.sides[0].p90_us > 15'000);
  CHECK(split.sides[0].p90_us < 25'000);
}

TEST_CASE("release with errors loses its share at once, and the deploy ends with 60") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  users.green_errors = 0.05;
  bool before_all_else = false;
  world.before_operation = [&](const std::string& operation) {
    if (operation == "weight 0") {
      before_all_else = world.traces["d1"].journal.back().kind == RecordKind::kIntent;
    }
  };
  const auto before = world.time;
  const Verdict verdict = deploy_image(world, "v2", canary_config()).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK_THAT(verdict.reason, Catch::StartsWith("with 10% of the traffic green fails more often"));
  CHECK(world.time - before < 30s);
  CHECK(world.serving() == "v1 on blue");
  CHECK(world.region.route.weight == 0);
  CHECK(before_all_else);
  CHECK(position(world.log, "weight 0") < position(world.log, "remove green"));
  CHECK(position(world.log, "activate green") == world.log.size());
}

TEST_CASE("slow release loses its share after few requests") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  users.green_latency_us = 220'000;
  const Verdict verdict = deploy_image(world, "v2", canary_config()).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK_THAT(verdict.reason, Catch::Contains("green is slower: p"));
  CHECK(users.on_green() < 100);  // the look after that with 40
}

TEST_CASE("too little traffic is what the configuration makes of it, in time") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  users.rate = 1;
  AppConfig config = canary_config();
  const bool passes = GENERATE(true, false);
  config.canary.analysis.not_enough = passes ? NotEnough::kPass : NotEnough::kFail;
  const auto before = world.time;
  const Verdict verdict = deploy_image(world, "v2", config).verdict;
  CHECK(verdict.code == (passes ? ExitCode::kDone : ExitCode::kGate));
  CHECK(world.time - before < 61s + (passes ? 0s : -30s));
  if (!passes) {
    CHECK_THAT(verdict.reason, Catch::Contains("not enough traffic: green had ") &&
                                   Catch::Contains("requests, 50 are needed to tell; "
                                                   "\"not_enough\" says fail"));
  }
}

TEST_CASE("telemetry that begins anew in a stage costs what was counted, and no false verdict") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  AppConfig config = canary_config();
  config.canary.stages.pop_back();
  const auto begin = world.time;
  bool done = false;
  const auto says = world.traffic_says;
  world.traffic_says = [&](Color color) {
    if (!done && world.time - begin > 10s) {
      done = true;
      users.restart_telemetry();
    }
    return says(color);
  };
  CHECK(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  const auto notes = notes_of(world, "canary");
  CHECK(std::count(notes.begin(), notes.end(),
                   "the telemetry began anew: what was counted before is not judged") == 1);
  CHECK_THAT(notes.back(), Catch::Contains("green failed 0 of 1"));  // 199 of 300
}

TEST_CASE("color that dies in its canary loses its share") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.before_operation = [&](const std::string& operation) {
    if (operation == "weight 5000") {
      world.running[1].reset();
    }
  };
  const Verdict verdict = deploy_image(world, "v2", canary_config()).verdict;
  CHECK(verdict.code == ExitCode::kGate);
  CHECK(verdict.reason == "with 50% of the traffic green has ended");
  CHECK(world.region.route.weight == 0);
}

TEST_CASE("stop on request in a canary takes the share away") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  world.before_operation = [&](const std::string& operation) {
    world.stop_asked = world.stop_asked || operation == "weight 5000";
  };
  const Verdict verdict = deploy_image(world, "v2", canary_config()).verdict;
  CHECK(verdict.code == ExitCode::kAborted);
  CHECK(world.region.route.weight == 0);
  CHECK(world.serving() == "v1 on blue");
}

TEST_CASE("deploy that dies in its canary leaves no share once it is recovered") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  bool armed = true;
  world.before_operation = [&](const std::string& operation) {
    if (armed && operation == "weight 5000") {
      armed = false;
      throw Crash{};
    }
  };
  CHECK_THROWS_AS(deploy_image(world, "v2", canary_config()), Crash);
  CHECK(world.region.route.weight == 1'000);
  REQUIRE(recover_all(world, canary_config()));
  CHECK(world.region.route.weight == 0);
  CHECK(world.serving() == "v1 on blue");
  CHECK(world.traces["d1"].verdict->code == ExitCode::kInterrupted);
}

TEST_CASE("first release has nothing to be compared with and waits for nobody") {
  FakeWorld world;
  AppConfig config = canary_config();
  config.canary.analysis.not_enough = NotEnough::kFail;
  const auto before = world.time;
  CHECK(deploy_image(world, "v1", config).verdict.code == ExitCode::kDone);
  CHECK(world.time - before < 10s);
}

TEST_CASE("rollback takes no share and is not judged") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  AppConfig config = canary_config();
  config.keep_old = 10min;
  Users users(world);
  REQUIRE(deploy_image(world, "v2", config).verdict.code == ExitCode::kDone);
  users.green_errors = 1;
  const auto before = world.time;
  const auto plan = plan_rollback(world, world, "app", "r1", {});
  REQUIRE(plan);
  CHECK(run_plan(world, config, *plan).verdict.code == ExitCode::kDone);
  CHECK(world.time - before < 10s);
}

TEST_CASE("soak judges by the old color's time before the flip") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  users.green_errors = GENERATE(0.0, 0.1);
  AppConfig config = quick_config();
  config.soak = 60s;
  // Users come while the image is pulled; that is what the new color is compared with.
  world.before_operation = [&](const std::string& operation) {
    world.time += operation == "start green v2" ? 20s : 0s;
  };
  const auto before = world.time;
  const Verdict verdict = deploy_image(world, "v2", config).verdict;
  CAPTURE(users.green_errors, verdict.reason);
  if (users.green_errors == 0) {
    CHECK(verdict.code == ExitCode::kDone);
    CHECK_THAT(notes_of(world, "soak").back(),
               Catch::Contains("blue before the flip 0 of ") && Catch::StartsWith("passed: green"));
  } else {
    CHECK(verdict.code == ExitCode::kRolledBack);
    CHECK_THAT(verdict.reason, Catch::StartsWith("during the soak green fails more often: ") &&
                                   Catch::Contains(" of blue before the flip ("));
    CHECK(world.time - before < 40s);
    CHECK(world.serving() == "v1 on blue");
    CHECK(position(world.log, "activate blue") < position(world.log, "remove green"));
  }
}

TEST_CASE("soak that another process takes over still knows the baseline") {
  FakeWorld world;
  world.serve(Color::kBlue, "v1");
  Users users(world);
  users.green_errors = 0.1;
  AppConfig config = quick_config();
  config.soak = 60s;
  bool armed = true;
  world.before_operation = [&](const std::string& operation) {
    world.time += operation == "start green v2" ? 20s : 0s;
    if (armed && operation == "journal" && world.region.route.active == Color::kGreen) {
      armed = false;
      throw Crash{};  // the flip is in the world, not yet in the journal
    }
  };
  CHECK_THROWS_AS(deploy_image(world, "v2", config), Crash);
  const auto recovered = recover_all(world, config);
  REQUIRE(recovered);
  CHECK(recovered->front().code == ExitCode::kRolledBack);
  CHECK_THAT(recovered->front().reason, Catch::Contains(" of blue before the flip ("));
  CHECK(world.serving() == "v1 on blue");
}
