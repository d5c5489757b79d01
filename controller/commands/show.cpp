// bgctl show DEPLOY and bgctl logs DEPLOY: one deploy's end and timeline, and its log, out of its
// trace folder.
// They read that folder alone; exit 0 when it is there, whatever the deploy itself ended with.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "controller/commands/command.hpp"
#include "controller/host/log_file.hpp"
#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"
#include "shm/text_field.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kLogLines = 200;

// A deploy has a few dozen events; of a file that is no such thing only the first are shown.
constexpr std::size_t kTimelineEvents = 5000;

std::vector<Event> events_of(const std::string& folder) {
  std::vector<Event> events;
  std::ifstream lines(folder + "/events.ndjson");
  for (std::string line; events.size() < kTimelineEvents && std::getline(lines, line);) {
    if (auto event = event_from_json(line)) {
      events.push_back(std::move(*event));
    }
  }
  return events;
}

// Who asked for what, and each step's end with the moment it came and the time it took.
std::string timeline_text(const DeployRequest& request, const std::vector<Event>& events) {
  std::string text = "timeline: " + printable(request.command);
  text += request.image.empty() ? "" : " " + printable(request.image);
  text += request.by.empty() ? "" : ", asked by " + printable(request.by);
  text += request.from.empty() ? "" : ", from " + printable(request.from);
  text += request.at.time_since_epoch().count() == 0 ? "" : ", at " + utc_time(request.at);
  text += "\n";
  for (const Event& event : events) {
    if (event.state == StepState::kStarted || event.state == StepState::kProgress) {
      continue;
    }
    // Before the first word of the deploy there is no moment to count from; a clock that was set
    // back counts as none.
    const auto after = std::max(
        milliseconds{0}, std::chrono::duration_cast<milliseconds>(event.at - events.front().at));
    text += "  +" + readable(after) + "  " + printable(event.step) + " ";
    text += word_of(event.state);
    text += event.took.count() > 0 ? " in " + readable(event.took) : "";
    text += event.text.empty() ? "" : ": " + printable(event.text);
    text += "\n";
  }
  return text;
}

std::string with_timeline(const std::string& document, const DeployRequest& request,
                          const std::vector<Event>& events) {
  using nlohmann::json;
  json shown = json::parse(document, nullptr, false);
  json timeline = json::array();
  for (const Event& event : events) {
    timeline.push_back(json::parse(event_to_json(event), nullptr, false));
  }
  shown["requested"] = {{"command", request.command},
                        {"image", request.image},
                        {"by", request.by},
                        {"from", request.from},
                        {"at", utc_time(request.at)}};
  shown["timeline"] = std::move(timeline);
  return shown.dump(-1, ' ', false, json::error_handler_t::replace);
}

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
  const auto request = read_request(*folder);
  const DeployRequest asked = request && *request ? **request : DeployRequest{};
  const std::vector<Event> events = events_of(*folder);
  const bool runs = !*verdict && runner_is_alive(*folder);
  if (context.json()) {
    const std::string end = *verdict ? verdict_to_json(**verdict)
                                     : std::string("{\"schema\":1,\"result\":\"") +
                                           (runs ? "running" : "interrupted") + "\"}";
    return context.done(with_timeline(end, asked, events));
  }
  std::string text;
  if (*verdict) {
    text = render_verdict(**verdict);
    text += (*verdict)->image.empty() ? "" : "  image: " + printable((*verdict)->image) + "\n";
  } else if (runs) {
    text = "it is running; its trace is " + *folder + "\n";
  } else {
    text =
        "it was interrupted: `bgctl recover` finishes or undoes it; its trace is " + *folder + "\n";
  }
  return context.done(text + timeline_text(asked, events));
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
