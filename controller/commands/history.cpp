// bgctl history: the deploys of an application that left a trace, newest first. Reads the trace
// folders and nothing else; needs neither Docker nor the control file.
#include <nlohmann/json.hpp>

#include "controller/commands/command.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kDigestLength = 19;  // "sha256:" and twelve digits, as Docker shows it

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

// What ran, by content; empty for what has none (the process runtime) or never came so far.
std::string digest_of(const TraceSummary& deploy) {
  const std::string image = deploy.verdict ? deploy.verdict->image : std::string();
  const std::size_t at = image.find('@');
  return at == std::string::npos ? std::string() : image.substr(at + 1);
}

std::string as_json(const std::string& app, const std::vector<TraceSummary>& deploys) {
  nlohmann::json list = nlohmann::json::array();
  for (const TraceSummary& deploy : deploys) {
    nlohmann::json entry = {{"id", deploy.id},
                            {"when", utc_time(deploy.started)},
                            {"app", app},
                            {"command", deploy.command},
                            {"image", image_of(deploy)},
                            {"digest", digest_of(deploy)},
                            {"by", deploy.by},
                            {"from", deploy.from},
                            {"result", result_of(deploy)},
                            {"ms", deploy.took.count()}};
    if (deploy.verdict) {
      entry["exit"] = static_cast<int>(deploy.verdict->code);
      entry["active"] = deploy.verdict->active;
      entry["release"] = deploy.verdict->release;
      entry["headline"] = deploy.verdict->headline;
      entry["reason"] = deploy.verdict->reason;
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
                     padded("TOOK", 7) + padded("COMMAND", 8) + padded("IMAGE", 24) +
                     padded("DIGEST", kDigestLength) + padded("BY", 12) + "ID\n";
  for (const TraceSummary& deploy : deploys) {
    text += padded(utc_time(deploy.started), 20) + padded(app, 8) + padded(result_of(deploy), 12) +
            padded(deploy.verdict ? readable(deploy.took) : "-", 7) +
            padded(printable(deploy.command), 8) + padded(printable(image_of(deploy)), 24) +
            padded(printable(digest_of(deploy).substr(0, kDigestLength)), kDigestLength) +
            padded(printable(deploy.by), 12) + printable(deploy.id) + "\n";
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
