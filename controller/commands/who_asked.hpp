// Who asks for a deploy, and from where, for its request, the history and notifications.
//
// Only words, believed by nobody: what the caller says (--by, --from), else what GitHub Actions
// (GITHUB_ACTOR, GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID) and SSM (SSM_COMMAND_ID) put
// into the environment, else the user. Cut to a line's length; nothing fails.
#pragma once

#include <string>

#include "controller/commands/command.hpp"

namespace bluegreen {

// A variable's value; empty without one.
std::string environment(const char* variable);

// "octocat", "ssm 1234", "octocat, ssm 1234". `by`: what --by says.
std::string who_asked(const std::string& by = {});
// The address of a run, or empty.
std::string from_where(const CommandContext& context);

}  // namespace bluegreen
