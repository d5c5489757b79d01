// Unit tests of smoke_check.hpp: each expectation that is not met, and the text that says so.
#include "controller/deploy/smoke_check.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

SmokeCheck full_check() {
  SmokeCheck check;
  check.path = "/health";
  check.header = {{"Content-Type", "json"}};
  check.body = "\"ok\"";
  check.within = 100ms;
  return check;
}

SmokeAnswer good_answer() {
  return {200,
          {{"x-bluegreen-color", "green"}, {"content-type", "application/json"}},
          "{\"is\":\"ok\"}",
          100ms};
}

}  // namespace

TEST_CASE("answer that has all that is expected is well") {
  CHECK(why_not_from(Color::kGreen, good_answer()).empty());
  CHECK(why_not_well(full_check(), good_answer()).empty());
  CHECK(subject_of(full_check()) == "GET /health");
}

TEST_CASE("answer of another color, or of none, is told with what was found") {
  SmokeAnswer answer = good_answer();
  CHECK(why_not_from(Color::kBlue, answer) == "expected X-Bluegreen-Color: blue, found \"green\"");
  answer.headers.erase("x-bluegreen-color");
  CHECK(why_not_from(Color::kGreen, answer) ==
        "expected X-Bluegreen-Color: green, found none (status 200): NGINX did not take the "
        "request for a preview");
}

TEST_CASE("each expectation that is not met says what was expected and found") {
  struct Case {
    void (*spoil)(SmokeAnswer&);
    const char* told;
  };
  const Case cases[] = {
      {[](SmokeAnswer& a) { a.status = 300; },
       "expected status 200 to 299, found 300, body \"{\"is\":\"ok\"}\""},
      {[](SmokeAnswer& a) { a.status = 199; },
       "expected status 200 to 299, found 199, body \"{\"is\":\"ok\"}\""},
      {[](SmokeAnswer& a) { a.headers["content-type"] = "text/html"; },
       "expected header Content-Type with \"json\", found \"text/html\""},
      {[](SmokeAnswer& a) { a.headers.erase("content-type"); },
       "expected header Content-Type with \"json\", found no such header"},
      {[](SmokeAnswer& a) { a.body = "{\"is\":\"bad\"}"; },
       "expected a body with \"\"ok\"\", found \"{\"is\":\"bad\"}\""},
      {[](SmokeAnswer& a) { a.body.clear(); },
       "expected a body with \"\"ok\"\", found an empty one"},
      {[](SmokeAnswer& a) { a.took = 101ms; }, "expected the answer within 100 ms, found 101 ms"},
  };
  for (const Case& one : cases) {
    SmokeAnswer answer = good_answer();
    one.spoil(answer);
    CHECK(why_not_well(full_check(), answer) == one.told);
  }
}

TEST_CASE("a body is quoted printable and cut") {
  SmokeAnswer answer = good_answer();
  answer.body = "\x1b[31m" + std::string(1000, 'x');
  const std::string told = why_not_well(full_check(), answer);
  CHECK(told.find('\x1b') == std::string::npos);
  CHECK(told.size() < 260);
  CHECK(told.find("...") != std::string::npos);
}

TEST_CASE("one status alone is told as one") {
  SmokeCheck check = full_check();
  check.least_status = check.most_status = 204;
  CHECK(why_not_well(check, good_answer()).find("expected status 204, found 200") == 0);
}
