// A verdict and an event as text and as JSON, and back.
//
// render_verdict is what a person gets on stdout: the headline and the trace first, in one line,
// because SSM keeps the head of a stream, then reason, hint, steps and log tail, in at most `limit`
// bytes in all, of which the first line may take 810 (the tail gives way first, at its head).
//
// The JSON of a verdict is {"schema":1,"command","result","exit","id","app","headline","active",
// "release","previous","image","trace","reason","hint","tail","steps":[{"name","ms","status"}]},
// and what Verdict::figures adds (not read back); of an event {"at","step","state","text","ms",
// "details"}, one line each (event_details.hpp). What deploy's follower reads back from its trace
// folder is exactly that.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "controller/output/event.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

inline constexpr std::size_t kVerdictLimit = 1900;

std::string render_verdict(const Verdict& verdict, std::size_t limit = kVerdictLimit);

std::string verdict_to_json(const Verdict& verdict);
Result<Verdict> verdict_from_json(const std::string& text, const std::string& name);

std::string event_to_json(const Event& event);  // one line, no newline
Result<Event> event_from_json(const std::string& line);

// The exit code as one word of JSON, from its name in exit_codes.def: kNotHealthy is not_healthy.
std::string result_word(ExitCode code);
// What exit_codes.def says about it.
std::string_view meaning_of(ExitCode code);

}  // namespace bluegreen
