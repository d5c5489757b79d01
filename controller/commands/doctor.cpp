#include "controller/commands/command.hpp"
namespace bluegreen {
int doctor_command(CommandContext& context) {
  return context.fail({ExitCode::kUsage, "building"});
}
}  // namespace bluegreen
