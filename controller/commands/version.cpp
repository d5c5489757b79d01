// bgctl version: what this program is and which regions it reads.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "shm/limits.hpp"

namespace bluegreen {

int version_command(CommandContext& context) {
  if (context.json()) {
    return context.done(
        nlohmann::json({{"schema", 1}, {"version", BLUEGREEN_VERSION}, {"abi", shm::kAbiVersion}})
            .dump());
  }
  return context.done(std::string("bgctl ") + BLUEGREEN_VERSION + "\nshared-memory ABI " +
                      std::to_string(shm::kAbiVersion));
}

}  // namespace bluegreen
