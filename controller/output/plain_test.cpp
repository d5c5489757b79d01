// Tests of plain.hpp.
#include "controller/output/plain.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

Event event(int ms, StepState state, const std::string& text, int took = 0) {
  return {std::chrono::system_clock::time_point(std::chrono::milliseconds(1'767'225'600'000 + ms)),
          "pull", state, text, std::chrono::milliseconds(took)};
}

}  // namespace

TEST_CASE("PlainSink: a line for the beginning and the end of a step") {
  StringWriter out;
  PlainSink sink(out);
  sink.emit(event(0, StepState::kStarted, "v2"));
  sink.emit(event(900, StepState::kDone, "sha256:1", 900));
  sink.emit(event(950, StepState::kFailed, "no \x1b", 50));
  CHECK(out.text() ==
        "2026-01-01T00:00:00Z pull: v2\n"
        "2026-01-01T00:00:00Z pull done in 900ms: sha256:1\n"
        "2026-01-01T00:00:00Z pull failed in 50ms: no \\x1b\n");
}

TEST_CASE("PlainSink: progress at most once a second, and only what changed") {
  StringWriter out;
  PlainSink sink(out);
  for (int ms = 0; ms < 2'500; ms += 10) {
    sink.emit(event(ms, StepState::kProgress, ms < 1'500 ? "half" : "most"));
  }
  CHECK(out.text() ==
        "2026-01-01T00:00:00Z pull: half\n"
        "2026-01-01T00:00:01Z pull: most\n");
}

TEST_CASE("NdjsonSink: one line an event") {
  StringWriter out;
  NdjsonSink sink(out);
  sink.emit(event(0, StepState::kStarted, "a\nb"));
  sink.emit(event(0, StepState::kDone, "c"));
  CHECK(std::count(out.text().begin(), out.text().end(), '\n') == 2);
}

}  // namespace bluegreen
