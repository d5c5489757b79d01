// The words of a notification: which event, what is in the bodies, what signs them.
#include "controller/notify/message.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace bluegreen {
namespace {

Notice a_notice(ExitCode code = ExitCode::kRolledBack) {
  Notice notice;
  notice.verdict.code = code;
  notice.verdict.command = "deploy";
  notice.verdict.id = "d1";
  notice.verdict.app = "app";
  notice.verdict.headline = "blue serves v1 again";
  notice.verdict.reason = "5 % errors & <b>more</b>\n";
  notice.verdict.tail = "password=hunter2";
  notice.verdict.image = "repo@sha256:01";
  notice.by = "octocat";
  notice.from = "https://github.com/o/r/actions/runs/1";
  notice.host = "staging";
  return notice;
}

}  // namespace

TEST_CASE("event: each exit code has one that the configuration knows, but a lock that was held") {
  const auto event = [](ExitCode code, const char* command) {
    Verdict verdict;
    verdict.code = code;
    verdict.command = command;
    return event_of(verdict);
  };
  CHECK(event(ExitCode::kDone, "deploy") == "deployed");
  CHECK(event(ExitCode::kDrainForced, "deploy") == "deployed");
  CHECK(event(ExitCode::kDone, "rollback") == "rolled_back");
  CHECK(event(ExitCode::kRolledBack, "deploy") == "rolled_back");
  CHECK(event(ExitCode::kLocked, "deploy").empty());
#define EXIT_CODE(name, number, meaning)                                                          \
  if (ExitCode::name != ExitCode::kLocked) {                                                      \
    const auto known = notify_events();                                                           \
    CHECK(std::find(known.begin(), known.end(), event(ExitCode::name, "deploy")) != known.end()); \
  }
#include "controller/exit_codes.def"
#undef EXIT_CODE
}

TEST_CASE("a target without a list wants all events, one with a list those") {
  NotifyConfig target;
  CHECK(is_wanted(target, "failed"));
  CHECK_FALSE(is_wanted(target, ""));
  target.on = {"failed", "rolled_back"};
  CHECK(is_wanted(target, "rolled_back"));
  CHECK_FALSE(is_wanted(target, "deployed"));
}

TEST_CASE("JSON body: the verdict and who wanted it, without an application's log") {
  const std::string body = body_of(NotifyFormat::kJson, a_notice());
  const auto document = nlohmann::json::parse(body);
  CHECK(document["event"] == "rolled_back");
  CHECK(document["exit"] == 70);
  CHECK(document["result"] == "rolled_back");
  CHECK(document["by"] == "octocat");
  CHECK(document["image"] == "repo@sha256:01");
  CHECK(body.find("hunter2") == std::string::npos);
}

TEST_CASE("Slack body: one text in which nothing of others is markup") {
  const auto document = nlohmann::json::parse(body_of(NotifyFormat::kSlack, a_notice()));
  const auto text = document["text"].get<std::string>();
  CHECK(text.find(":x: *app* on staging: blue serves v1 again\n") == 0);
  CHECK(text.find("5 % errors &amp; &lt;b&gt;more&lt;/b&gt;\\x0a") != std::string::npos);
  CHECK(text.find("asked by octocat, https://github.com/o/r/actions/runs/1") != std::string::npos);
  CHECK(text.find("hunter2") == std::string::npos);
  const auto well = body_of(NotifyFormat::kSlack, a_notice(ExitCode::kDone));
  CHECK(well.find(":white_check_mark:") != std::string::npos);
}

TEST_CASE("signature: over the time and the body, by the secret") {
  // printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cret
  CHECK(signature_of("s3cret", 1'700'000'000, "{}") ==
        "sha256=97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf");
  CHECK(signature_of("s3cret", 1'700'000'001, "{}") != signature_of("s3cret", 1'700'000'000, "{}"));
}

}  // namespace bluegreen
