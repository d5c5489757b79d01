// What a failed pull's message means: whether to try again, and what a person can do. Pure; called
// by the pull with the text of the Engine.
#pragma once

#include <string>

namespace bluegreen {

struct PullFailure {
  bool transient = false;  // worth another try
  bool refused = false;    // by these credentials
  std::string what;        // for a person, with the Engine's own text in it
  std::string hint;
};

PullFailure explain_pull_failure(const std::string& image, const std::string& registry,
                                 const std::string& message);

}  // namespace bluegreen
