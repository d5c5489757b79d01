// The live view's model, layout and screen, at the widths that it has to bear.
#include "controller/output/live_view.hpp"

#include <catch2/catch.hpp>

#include "controller/output/screen.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

const system_clock::time_point kBegan{seconds{1'700'000'000}};

Event live_event(std::string step, StepState state, std::string text, milliseconds took = {}) {
  return {kBegan, std::move(step), state, std::move(text), took};
}

LiveModel half_way() {
  LiveModel model;
  model.apply(live_event("pull", StepState::kStarted, ""));
  model.apply(
      live_event("pull", StepState::kDone, "example.org/app@sha256:0123", milliseconds{3200}));
  model.apply(live_event("drain", StepState::kStarted, ""));
  model.apply(live_event("drain", StepState::kProgress, "12 requests on blue"));
  return model;
}

std::vector<std::string> texts(const LiveModel& model, std::size_t width, bool utf8 = true,
                               std::size_t height = 24) {
  std::vector<std::string> lines;
  for (const LiveLine& line : lay_out(model, kBegan + seconds{61}, {width, height, false, utf8})) {
    CHECK(line.columns == columns_of(line.text));
    CHECK(line.columns <= width);
    lines.push_back(line.text);
  }
  return lines;
}

}  // namespace

TEST_CASE("live view: steps, timers and what they say, at every width") {
  const LiveModel model = half_way();
  CHECK(texts(model, 80) ==
        std::vector<std::string>{"✓ pull     3.2s   example.org/app@sha256:0123",
                                 "• drain    1m01s  12 requests on blue"});
  CHECK(texts(model, 200) == texts(model, 80));
  CHECK(texts(model, 20) ==
        std::vector<std::string>{"✓ pull     3.2s   e…", "• drain    1m01s  1…"});
  for (std::size_t width = 0; width < 40; ++width) {
    CHECK(texts(model, width).size() == (width == 0 ? 0 : 2));
  }
}

TEST_CASE("live view: without UTF-8 every byte is ASCII") {
  LiveModel model = half_way();
  model.apply(live_event("drain", StepState::kProgress, "naïve 漢"));
  for (const std::size_t width : {20, 80, 200}) {
    for (const std::string& line : texts(model, width, false)) {
      for (const char c : line) {
        CHECK((c >= 0x20 && c < 0x7F));
      }
    }
  }
}

TEST_CASE("live view: wide characters count twice, and nothing from outside is obeyed") {
  LiveModel model;
  model.apply(live_event("pull", StepState::kStarted, "漢漢漢漢漢漢漢漢"));
  CHECK(texts(model, 24).front() == "• pull     1m01s  漢漢…");
  model.apply(live_event("pull", StepState::kProgress, "\033[2J\a\nx"));
  CHECK(texts(model, 80).front().find_first_of("\033\a\n") == std::string::npos);
}

TEST_CASE("live view: a low terminal keeps the newest lines") {
  const auto lines = texts(half_way(), 80, true, 1);
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().find("drain") != std::string::npos);
}

TEST_CASE("live view: a late word does not let a step run again, a second start does") {
  LiveModel model = half_way();
  model.apply(live_event("pull", StepState::kProgress, "late"));
  CHECK(model.steps().front().state == StepState::kDone);
  model.apply(live_event("pull", StepState::kStarted, ""));
  REQUIRE(model.steps().size() == 3);
  CHECK(model.steps().back().state == StepState::kStarted);
}

TEST_CASE("live view: color is reset within its line and takes no column") {
  const auto lines = lay_out(half_way(), kBegan, {80, 24, true, true});
  for (const LiveLine& line : lines) {
    CHECK(line.text.rfind("\033[3", 0) == 0);
    CHECK(line.text.rfind('\033') == line.text.find("\033[0m"));
    CHECK(line.columns < columns_of(line.text));
  }
}

TEST_CASE("screen: draws over what it drew, as it lies after a resize") {
  StringWriter out;
  Screen screen(out);
  screen.draw({{"0123456789", 10}, {"abc", 3}}, 80);
  CHECK(out.text() == "\r\033[J0123456789\nabc\n");
  screen.draw({{"x", 1}}, 5);  // ten columns are two rows now
  CHECK(out.text() == "\r\033[J0123456789\nabc\n\r\033[3A\033[Jx\n");
}

}  // namespace bluegreen
