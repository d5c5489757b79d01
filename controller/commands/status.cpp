#include "controller/commands/command.hpp"
namespace bluegreen {
int status_command(CommandContext& context) {
  return context.fail({ExitCode::kUsage, "building"});
}
}  // namespace bluegreen
