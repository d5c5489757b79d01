// bgctl history: the deploys of an application that left a trace, newest first. Reads the trace
// folders and nothing else; needs neither Docker nor the control file.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

std::string result_of(const TraceSummary& deploy) {
  if (deploy.verdict) {
    return result_word(deploy.verdict->code);
  }
  return deploy.alive ? "running" : "interrupted";
}

// What was put in service, or should have been.
std::string image_of(const TraceSummary& deploy) {
  if (!deploy.image.empty()) {
    return deploy.image;
  }
  return deploy.verdict ? deploy.verdict->image : std::string();
}

std::string as_json(const std::string& app, const std::vector<TraceSummary>& deploys) {
  nlohmann::json list = nlohmann::json::array();
  for (const TraceSummary& deploy : deploys) {
    nlohmann::json entry = {{"id", deploy.id},
                            {"when", utc_time(deploy.started)},
                            {"app", app},
                            {"command", deploy.command},
                            {"image", image_of(deploy)},
                            {"result", result_of(deploy)},
                            {"ms", deploy.took.count()}};
    if (deploy.verdict) {
      entry["exit"] = static_cast<int>(deploy.verdict->code);
      entry["active"] = deploy.verdict->active;
      entry["release"] = deploy.verdict->release;
      entry["headline"] = deploy.verdict->headline;
    }
    list.push_back(std::move(entry));
  }
  return nlohmann::json({{"schema", 1}, {"deploys", std::move(list)}})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) {
    text.append(width - text.size(), ' ');
  }
  return text + "  ";
}

std::string as_table(const std::string& app, const std::vector<TraceSummary>& deploys) {
  if (deploys.empty()) {
    return "no deploy of " + app + " has left a trace\n";
  }
  std::string text = padded("WHEN", 20) + padded("APP", 8) + padded("RESULT", 12) +
                     padded("TOOK", 7) + padded("COMMAND", 8) + padded("IMAGE", 24) + "ID\n";
  for (const TraceSummary& deploy : deploys) {
    text += padded(utc_time(deploy.started), 20) + padded(app, 8) + padded(result_of(deploy), 12) +
            padded(deploy.verdict ? readable(deploy.took) : "-", 7) +
            padded(printable(deploy.command), 8) + padded(printable(image_of(deploy)), 24) +
            printable(deploy.id) + "\n";
  }
  return text;
}

}  // namespace

int history_command(CommandContext& context) {
  auto config = context.config();
  if (!config) {
    return context.fail(config.error());
  }
  auto app = context.app_config();
  if (!app) {
    return context.fail(app.error());
  }
  auto deploys = TraceFolders((*config)->trace_dir).list((*app)->name);
  if (!deploys) {
    return context.fail(deploys.error());
  }
  return context.done(context.json() ? as_json((*app)->name, *deploys)
                                     : as_table((*app)->name, *deploys));
}

}  // namespace bluegreen
