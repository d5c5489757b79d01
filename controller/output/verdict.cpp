// See verdict.hpp.
#include "controller/output/verdict.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "controller/output/printable.hpp"
#include "controller/ports/json_fields.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

constexpr StepState kStates[] = {StepState::kStarted, StepState::kProgress, StepState::kDone,
                                 StepState::kFailed,  StepState::kSkipped,  StepState::kUndone};

// Bytes that are not UTF-8 (a container's log) are replaced: a verdict is always written.
std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::int64_t number_at(const json& document, const char* key, std::int64_t otherwise) {
  const auto found = document.find(key);
  return found != document.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                               : otherwise;
}

json parse(const std::string& text) {
  return json::parse(text, nullptr, false);
}

// "pull 1.2s, start 340ms, healthy failed".
std::string steps_line(const std::vector<StepTime>& steps) {
  std::string line;
  for (const StepTime& step : steps) {
    line += line.empty() ? "" : ", ";
    line += printable(step.name);
    line += step.status == "done" ? "" : " " + printable(step.status);
    line += step.took.count() > 0 ? " " + readable(step.took) : "";
  }
  return line;
}

// Made harmless first, then cut: an escape is four bytes for one. A character is not cut through.
std::string fitted(const std::string& text, std::size_t room) {
  std::string safe = printable(text);
  if (safe.size() <= room) {
    return safe;
  }
  constexpr std::string_view kMore = "...";
  std::size_t at = room < kMore.size() ? 0 : room - kMore.size();
  while (at > 0 && (static_cast<unsigned char>(safe[at]) & 0xC0U) == 0x80U) {
    --at;
  }
  return safe.substr(0, at) + std::string(kMore.substr(0, std::min(room, kMore.size())));
}

// Cut in its middle: what happened stands at one end of a headline and what serves at the other,
// and the words that are too long (an image's name) between them.
std::string fitted_headline(const std::string& text, std::size_t room) {
  std::string safe = printable(text);
  if (safe.size() <= room) {
    return safe;
  }
  std::size_t from = safe.size() - room / 2;
  while (from < safe.size() && (static_cast<unsigned char>(safe[from]) & 0xC0U) == 0x80U) {
    ++from;
  }
  return fitted(text, room / 2) + safe.substr(from);
}

// Left out where there is no room for anything worth reading.
void add_line(std::string& text, const char* label, const std::string& value, std::size_t limit) {
  constexpr std::size_t kLongest = 400;  // one field: an error can quote a whole answer
  constexpr std::size_t kShortest = 20;
  const std::string title = std::string("  ") + label + ": ";
  const std::size_t taken = text.size() + title.size() + 1;
  if (value.empty() || taken + kShortest > limit) {
    return;
  }
  text += title + fitted(value, std::min(kLongest, limit - taken)) + "\n";
}

// The end of a log, whole lines, in at most `room` bytes.
std::string cut_head(const std::string& text, std::size_t room) {
  if (text.size() <= room) {
    return text;
  }
  const std::size_t from = text.size() - room;
  const std::size_t line = text.find('\n', from);
  return line == std::string::npos || line + 1 == text.size() ? text.substr(from)
                                                              : text.substr(line + 1);
}

}  // namespace

std::string result_word(ExitCode code) {
  std::string_view name = "kUnknown";
  switch (code) {
#define EXIT_CODE(code_name, number, meaning) \
  case ExitCode::code_name:                   \
    name = #code_name;                        \
    break;
#include "controller/exit_codes.def"
#undef EXIT_CODE
  }
  std::string word;
  for (const char c : name.substr(1)) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !word.empty()) {
      word += '_';
    }
    word += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return word;
}

std::string_view meaning_of(ExitCode code) {
  switch (code) {
#define EXIT_CODE(code_name, number, meaning) \
  case ExitCode::code_name:                   \
    return meaning;
#include "controller/exit_codes.def"
#undef EXIT_CODE
  }
  return "unknown";
}

std::string render_verdict(const Verdict& verdict, std::size_t limit) {
  constexpr std::size_t kLongestPart = 400;
  std::string text = fitted_headline(verdict.headline, kLongestPart);
  if (!verdict.trace.empty()) {
    text += " (trace " + fitted(verdict.trace, kLongestPart) + ")";
  }
  text += "\n";
  add_line(text, "reason", verdict.reason, limit);
  add_line(text, "do", verdict.hint, limit);
  add_line(text, "steps", steps_line(verdict.steps), limit);
  const std::string title = "  last lines of its log:\n";
  if (verdict.tail.empty() || text.size() + title.size() + 1 >= limit) {
    return text;
  }
  std::string tail = printable(verdict.tail, true);
  while (!tail.empty() && tail.back() == '\n') {
    tail.pop_back();
  }
  return text + title + cut_head(tail, limit - text.size() - title.size() - 1) + "\n";
}

std::string verdict_to_json(const Verdict& verdict) {
  json steps = json::array();
  for (const StepTime& step : verdict.steps) {
    steps.push_back({{"name", step.name}, {"ms", step.took.count()}, {"status", step.status}});
  }
  json document = {{"schema", 1},
                   {"command", verdict.command},
                   {"result", result_word(verdict.code)},
                   {"exit", static_cast<int>(verdict.code)},
                   {"id", verdict.id},
                   {"app", verdict.app},
                   {"headline", verdict.headline},
                   {"active", verdict.active},
                   {"release", verdict.release},
                   {"previous", verdict.previous},
                   {"image", verdict.image},
                   {"trace", verdict.trace},
                   {"reason", verdict.reason},
                   {"hint", verdict.hint},
                   {"tail", verdict.tail},
                   {"steps", std::move(steps)}};
  for (const auto& [name, value] : verdict.figures) {
    document.emplace(name, value);  // a name of the list above stays what it is
  }
  return dump(document);
}

Result<Verdict> verdict_from_json(const std::string& text, const std::string& name) {
  const json document = parse(text);
  if (!document.is_object()) {
    return fail(ExitCode::kUsage, name + ": not a verdict: expected a JSON object");
  }
  const std::int64_t number = number_at(document, "exit", -1);
  const auto code = static_cast<ExitCode>(number);
  if (number < 0 || meaning_of(code) == "unknown") {
    return fail(ExitCode::kUsage, name + ": not a verdict: exit is " + std::to_string(number) +
                                      ", expected one of bgctl's exit codes");
  }
  Verdict verdict;
  verdict.code = code;
  verdict.command = text_at(document, "command");
  verdict.id = text_at(document, "id");
  verdict.app = text_at(document, "app");
  verdict.headline = text_at(document, "headline");
  verdict.active = text_at(document, "active");
  verdict.release = text_at(document, "release");
  verdict.previous = text_at(document, "previous");
  verdict.image = text_at(document, "image");
  verdict.trace = text_at(document, "trace");
  verdict.reason = text_at(document, "reason");
  verdict.hint = text_at(document, "hint");
  verdict.tail = text_at(document, "tail");
  if (const auto steps = document.find("steps"); steps != document.end() && steps->is_array()) {
    for (const json& step : *steps) {
      if (step.is_object()) {
        verdict.steps.push_back({text_at(step, "name"),
                                 std::chrono::milliseconds(number_at(step, "ms", 0)),
                                 text_at(step, "status")});
      }
    }
  }
  return verdict;
}

std::string event_to_json(const Event& event) {
  const auto at =
      std::chrono::duration_cast<std::chrono::milliseconds>(event.at.time_since_epoch());
  json document = {{"at", utc_time_ms(event.at)},
                   {"at_ms", at.count()},
                   {"step", event.step},
                   {"state", word_of(event.state)},
                   {"text", event.text}};
  if (event.took.count() > 0) {
    document["ms"] = event.took.count();
  }
  if (json details = details_to_json(event.details); !details.is_null()) {
    document["details"] = std::move(details);
  }
  return dump(document);
}

Result<Event> event_from_json(const std::string& line) {
  const json document = parse(line);
  if (!document.is_object()) {
    return fail(ExitCode::kUsage, "not an event: expected a JSON object, found \"" +
                                      printable(line.substr(0, 80)) + "\"");
  }
  Event event;
  event.at = std::chrono::system_clock::time_point(
      std::chrono::milliseconds(number_at(document, "at_ms", 0)));
  event.step = text_at(document, "step");
  event.text = text_at(document, "text");
  event.took = std::chrono::milliseconds(number_at(document, "ms", 0));
  if (const auto details = document.find("details"); details != document.end()) {
    event.details = details_from_json(*details);
  }
  const std::string word = text_at(document, "state");
  for (const StepState state : kStates) {
    if (word_of(state) == word) {
      event.state = state;
    }
  }
  return event;
}

}  // namespace bluegreen
