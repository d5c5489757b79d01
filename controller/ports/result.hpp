// Errors as values: what every fallible function of the controller returns.
//
// An Error carries the exit code that it will end the command with, and one sentence for a person:
// what failed, with the file and the value, and what was expected. Context is added on the way up
// with `within`. Nothing in the controller throws on purpose; libraries that do are caught where
// they are called.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace bluegreen {

enum class ExitCode : int {
#define EXIT_CODE(name, number, meaning) name = (number),
#include "controller/exit_codes.def"
#undef EXIT_CODE
};

struct Error {
  ExitCode code = ExitCode::kUsage;
  std::string what;       // one line, no final stop
  std::string hint = {};  // what to do about it, or empty
  std::string tail = {};  // last lines of a log that show the cause, or empty
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ExitCode code, std::string what, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(what), std::move(hint)});
}

// The same error with what was being done put before it: "pull v2: registry ... refused".
inline tl::unexpected<Error> within(const std::string& context, Error error) {
  error.what = context + ": " + error.what;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace bluegreen
