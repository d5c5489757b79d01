// What the foreground prints about a deploy: its progress until its verdict, the verdict, or why
// there is none. Without a terminal all of it stays within what SSM keeps (the contract's 2,000
// characters), the verdict first.
//
// Called by deploy_process.cpp; changes nothing. Each returns the exit code of the command.
#pragma once

#include <cstddef>
#include <string>

#include "controller/commands/command.hpp"
#include "controller/commands/deploy_place.hpp"

namespace bluegreen {

// Returns when the deploy has ended and its lock is free: whoever calls the next command then must
// not find it taken.
int follow_deploy(CommandContext& context, const DeployPlace& place, const std::string& id,
                  const std::string& folder);

// The same for who has its verdict already. The process writes it and frees the lock just after.
void wait_until_free(const DeployPlace& place, const std::string& id);

// `written`: how much of the room the progress has taken already.
int show_verdict(CommandContext& context, const Verdict& verdict, std::size_t written);
// An error quotes logs and answers of others: cut to what fits.
int fail_briefly(CommandContext& context, Error error, std::size_t written);

}  // namespace bluegreen
