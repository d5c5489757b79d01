// Tests of verdict.hpp.
#include "controller/output/verdict.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

Verdict failed_deploy() {
  Verdict verdict;
  verdict.code = ExitCode::kNotHealthy;
  verdict.command = "deploy";
  verdict.id = "d1";
  verdict.app = "app";
  verdict.headline = "app: v2 did not get healthy; blue serves v1";
  verdict.active = "blue";
  verdict.release = "v1";
  verdict.previous = "blue";
  verdict.image = "repo:v2";
  verdict.trace = "/t/app/d1";
  verdict.reason = "container exited with 1";
  verdict.hint = "see its log";
  verdict.tail = "one\ntwo\n";
  verdict.steps = {{"pull", std::chrono::milliseconds(1200), "done"},
                   {"healthy", std::chrono::milliseconds(40), "failed"}};
  return verdict;
}

}  // namespace

TEST_CASE("render_verdict: the headline is the first line") {
  const std::string text = render_verdict(failed_deploy());
  CHECK(text ==
        "app: v2 did not get healthy; blue serves v1 (trace /t/app/d1)\n"
        "  reason: container exited with 1\n"
        "  do: see its log\n"
        "  steps: pull 1.2s, healthy failed 40ms\n"
        "  last lines of its log:\n"
        "one\ntwo\n");
}

TEST_CASE("render_verdict: stays under the limit and keeps the end of the log") {
  Verdict verdict = failed_deploy();
  verdict.reason.assign(5'000, 'r');
  verdict.hint.assign(5'000, 'h');
  verdict.tail.clear();
  for (int i = 0; i < 500; ++i) {
    verdict.tail += "log line " + std::to_string(i) + "\n";
  }
  const std::string text = render_verdict(verdict);
  CHECK(text.size() <= kVerdictLimit);
  CHECK(text.find("log line 499\n") != std::string::npos);
  CHECK(text.rfind(verdict.headline + " (trace /t/app/d1)\n", 0) == 0);
}

TEST_CASE("render_verdict: the longest texts, each byte of them an escape, stay under any limit") {
  Verdict verdict = failed_deploy();
  const std::string worst(600, '\x01');
  verdict.headline = verdict.trace = verdict.reason = verdict.hint = verdict.tail = worst;
  verdict.steps.assign(3, {worst, std::chrono::milliseconds(1), worst});
  for (std::size_t limit = 850; limit <= 2'000; limit += 23) {
    const std::string text = render_verdict(verdict, limit);
    CHECK(text.size() <= limit);
    CHECK(text.find("...") < text.find('\n'));
    CHECK(text.find("(trace ") < text.find('\n'));
  }
  verdict.headline.assign(399, 'x');
  verdict.headline += "\u00e9\u00e9\u00e9";
  CHECK(render_verdict(verdict).find("\\xc3") == std::string::npos);
}

TEST_CASE("render_verdict: a log cannot control the terminal") {
  Verdict verdict = failed_deploy();
  verdict.tail = "\x1b]0;title\x07";
  CHECK(render_verdict(verdict).find('\x1b') == std::string::npos);
}

TEST_CASE("verdict: comes back from JSON as it was") {
  const Verdict before = failed_deploy();
  const auto after = verdict_from_json(verdict_to_json(before), "verdict.json");
  REQUIRE(after);
  CHECK(after->code == before.code);
  CHECK(after->headline == before.headline);
  CHECK(after->tail == before.tail);
  CHECK(after->trace == before.trace);
  REQUIRE(after->steps.size() == 2);
  CHECK(after->steps[1].name == "healthy");
  CHECK(after->steps[1].status == "failed");
  CHECK(after->steps[0].took == std::chrono::milliseconds(1200));
  CHECK(render_verdict(*after) == render_verdict(before));
}

TEST_CASE("verdict: bytes that are no UTF-8 do not keep it from being written") {
  Verdict verdict = failed_deploy();
  verdict.tail = "caf\xe9";
  CHECK(verdict_from_json(verdict_to_json(verdict), "v"));
}

TEST_CASE("verdict_from_json: what is no verdict is refused by name") {
  for (const char* text : {"", "[]", "{\"exit\":", "{}", "{\"exit\":3}", "{\"exit\":\"0\"}"}) {
    const auto verdict = verdict_from_json(text, "/t/verdict.json");
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().what.rfind("/t/verdict.json: not a verdict", 0) == 0);
  }
}

TEST_CASE("event: comes back from its line as it was") {
  const Event before{std::chrono::system_clock::time_point(std::chrono::milliseconds(1'234'567)),
                     "pull", StepState::kDone, "v2\n\x1b", std::chrono::milliseconds(7)};
  const std::string line = event_to_json(before);
  CHECK(line.find('\n') == std::string::npos);
  const auto after = event_from_json(line);
  REQUIRE(after);
  CHECK(after->at == before.at);
  CHECK(after->step == before.step);
  CHECK(after->state == before.state);
  CHECK(after->text == before.text);
  CHECK(after->took == before.took);
  CHECK_FALSE(event_from_json(line.substr(0, line.size() / 2)));
}

TEST_CASE("result_word: every exit code has one word and a meaning") {
  CHECK(result_word(ExitCode::kDone) == "done");
  CHECK(result_word(ExitCode::kNotHealthy) == "not_healthy");
  CHECK(result_word(ExitCode::kRollbackFailed) == "rollback_failed");
  CHECK(meaning_of(ExitCode::kLocked) == "another command holds the lock");
}

}  // namespace bluegreen
