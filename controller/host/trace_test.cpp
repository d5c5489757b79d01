// Unit tests of trace.hpp and follow.hpp over a temporary folder.
#include "controller/host/trace.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "controller/host/follow.hpp"

using namespace bluegreen;

namespace {

struct TempFolder {
  std::string path = "/tmp/trace_test.XXXXXX";
  TempFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TempFolder() { std::filesystem::remove_all(path); }
};

DeployRequest request_at(int seconds) {
  return {"deploy", "v2", "tester", "https://ci.example/1",
          std::chrono::system_clock::time_point(std::chrono::seconds(seconds))};
}

Verdict some_verdict(ExitCode code) {
  Verdict verdict;
  verdict.code = code;
  verdict.headline = "green serves v2";
  return verdict;
}

class Collector : public EventSink {
 public:
  void emit(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

}  // namespace

TEST_CASE("trace keeps request, verdict, journal and marker") {
  TempFolder temp;
  const std::string folder = trace_folder(temp.path, "app", "d1");
  REQUIRE(make_trace(folder, request_at(100)));
  auto request = read_request(folder);
  REQUIRE(request);
  REQUIRE(*request);
  CHECK((*request)->image == "v2");
  CHECK((*request)->by == "tester");
  CHECK((*request)->from == "https://ci.example/1");
  auto trace = TraceFolder::open(temp.path, "app", "d1");
  REQUIRE(trace);
  REQUIRE((*trace)->append({RecordKind::kBegin, "", {{"app", "app"}}}));
  CHECK((*trace)->records()->size() == 1);
  CHECK_FALSE(*read_verdict(folder));
  CHECK(std::filesystem::exists(folder + "/reserve"));
  REQUIRE((*trace)->write_verdict(some_verdict(ExitCode::kPull)));
  CHECK_FALSE(std::filesystem::exists(folder + "/reserve"));
  CHECK((*read_verdict(folder))->code == ExitCode::kPull);
  REQUIRE((*trace)->mark_last_image("repo@sha256:1"));
  std::ifstream marker(temp.path + "/last_image");
  std::string line;
  std::getline(marker, line);
  CHECK(line == "repo@sha256:1");
}

TEST_CASE("list is newest first and tells the running from the dead") {
  TempFolder temp;
  for (const int at : {200, 100, 300}) {
    REQUIRE(make_trace(trace_folder(temp.path, "app", "d" + std::to_string(at)), request_at(at)));
  }
  auto done = TraceFolder::open(temp.path, "app", "d200");
  REQUIRE((*done)->write_verdict(some_verdict(ExitCode::kDone)));
  auto runner = lock_runner(trace_folder(temp.path, "app", "d300"));
  REQUIRE(runner);
  CHECK_FALSE(lock_runner(trace_folder(temp.path, "app", "d300")));
  auto list = TraceFolders(temp.path).list("app");
  REQUIRE(list);
  REQUIRE(list->size() == 3);
  CHECK((*list)[0].id == "d300");
  CHECK((*list)[0].alive);
  CHECK((*list)[1].verdict);
  CHECK_FALSE((*list)[2].alive);
  CHECK(TraceFolders(temp.path).list("other")->empty());
  runner->reset();
  CHECK_FALSE((*TraceFolders(temp.path).list("app"))[0].alive);
}

TEST_CASE("trace that is removed is no deploy any more, and others stay") {
  TempFolder temp;
  for (const char* id : {"d1", "d2"}) {
    REQUIRE(make_trace(trace_folder(temp.path, "app", id), request_at(1)));
  }
  TraceFolders traces(temp.path);
  REQUIRE(traces.remove("app", "d1"));
  CHECK_FALSE(std::filesystem::exists(trace_folder(temp.path, "app", "d1")));
  const auto list = traces.list("app");
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  CHECK(list->front().id == "d2");
  CHECK(list->front().from == "https://ci.example/1");
}

TEST_CASE("trace that cannot be written is refused and leaves nothing") {
  TempFolder temp;
  std::ofstream(temp.path + "/file") << "x";
  auto made = make_trace(temp.path + "/file/app/d1", request_at(1));
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ExitCode::kPreflight);
  CHECK(made.error().what.find(temp.path + "/file") != std::string::npos);
}

TEST_CASE("attempt that is just ending is waited for by the next one with its id") {
  TempFolder temp;
  const std::string folder = trace_folder(temp.path, "app", "d1");
  REQUIRE(make_trace(folder, request_at(1)));
  auto ending = lock_runner(folder);
  REQUIRE(ending);
  std::thread end([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ending->reset();
  });
  CHECK(lock_runner(folder));
  end.join();
}

TEST_CASE("log of an application is for root's eyes alone") {
  TempFolder temp;
  auto trace = TraceFolder::open(temp.path, "app", "d1");
  REQUIRE(trace);
  (*trace)->keep_log("green.log", "password=1");
  const auto mode = std::filesystem::status(temp.path + "/app/d1/green.log").permissions();
  CHECK(mode == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("follower shows the events and ends with the verdict") {
  TempFolder temp;
  const std::string folder = trace_folder(temp.path, "app", "d1");
  REQUIRE(make_trace(folder, request_at(100)));
  std::thread deploy([&] {
    auto runner = lock_runner(folder);
    auto sink = trace_events(folder);
    sink->emit({std::chrono::system_clock::now(),
                "drain",
                StepState::kProgress,
                "",
                {},
                DrainDetails{"blue", 12, {}, {}, {}, {}}});
    sink->emit({std::chrono::system_clock::now(), "pull", StepState::kDone, "have v2", {}, {}});
    auto trace = TraceFolder::open(temp.path, "app", "d1");
    (void)(*trace)->write_verdict(some_verdict(ExitCode::kDrainForced));
  });
  Collector seen;
  auto verdict = follow(folder, seen);
  deploy.join();
  REQUIRE(verdict);
  CHECK(verdict->code == ExitCode::kDrainForced);
  REQUIRE(seen.events.size() == 2);
  CHECK(std::get<DrainDetails>(seen.events[0].details).in_flight == 12);
  CHECK(seen.events[1].step == "pull");
  std::ifstream log(folder + "/log");
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  CHECK(text.find("pull done") != std::string::npos);
  CHECK(text.find("drain") == std::string::npos);  // figures that move are for views alone
}

TEST_CASE("follower ends with 90 when the process has died without a verdict") {
  TempFolder temp;
  const std::string folder = trace_folder(temp.path, "app", "d1");
  REQUIRE(make_trace(folder, request_at(100)));
  std::thread deploy([&] {
    auto runner = lock_runner(folder);
    std::this_thread::sleep_for(2 * kLifeCheck);  // a death has no event
  });
  Collector seen;
  auto verdict = follow(folder, seen);
  deploy.join();
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == ExitCode::kInterrupted);
  CHECK(verdict.error().hint.find("bgctl recover") != std::string::npos);
}
