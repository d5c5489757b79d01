// bgctl show DEPLOY and bgctl logs DEPLOY: one deploy's end, and its log, out of its trace folder.
// They read that folder alone; exit 0 when it is there, whatever the deploy itself ended with.
#include "controller/commands/command.hpp"
#include "controller/host/log_file.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"
#include "shm/text_field.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kLogLines = 200;

// The folder of the deploy that was asked about; its name is a path's part, so it is checked first.
Result<std::string> folder_of_deploy(CommandContext& context) {
  const auto config = context.config();
  if (!config) {
    return tl::unexpected(config.error());
  }
  const auto app = context.app_config();
  if (!app) {
    return tl::unexpected(app.error());
  }
  const std::string id = context.argument("DEPLOY");
  const std::string folder = trace_folder((*config)->trace_dir, (*app)->name, id);
  const auto request = shm::is_app_name(id) ? read_request(folder) : std::nullopt;
  if (!request) {
    return tl::unexpected(request.error());
  }
  if (!*request) {
    return fail(ExitCode::kUsage,
                "application " + (*app)->name + " has no deploy \"" + printable(id) + "\" in " +
                    (*config)->trace_dir,
                "see them all with `bgctl history`");
  }
  return folder;
}

}  // namespace

int show_command(CommandContext& context) {
  const auto folder = folder_of_deploy(context);
  if (!folder) {
    return context.fail(folder.error());
  }
  const auto verdict = read_verdict(*folder);
  if (!verdict) {
    return context.fail(verdict.error());
  }
  if (*verdict) {
    return context.done(context.json() ? verdict_to_json(**verdict) : render_verdict(**verdict));
  }
  const bool runs = runner_is_alive(*folder);
  if (context.json()) {
    return context.done(std::string("{\"schema\":1,\"result\":\"") +
                        (runs ? "running" : "interrupted") + "\"}");
  }
  return context.done(runs ? "it is running; its trace is " + *folder
                           : "it was interrupted: `bgctl recover` finishes or undoes it; its trace "
                             "is " +
                                 *folder);
}

int logs_command(CommandContext& context) {
  const auto folder = folder_of_deploy(context);
  if (!folder) {
    return context.fail(folder.error());
  }
  std::string text;
  for (const char* name : {"log", "blue.log", "green.log"}) {
    const std::string path = *folder + "/" + name;
    if (const std::string tail = file_tail(path, kLogLines); !tail.empty()) {
      text += "==> " + path + " <==\n" + printable(tail, true) + "\n";
    }
  }
  return context.done(text.empty() ? *folder + ": no log was written" : text);
}

}  // namespace bluegreen
