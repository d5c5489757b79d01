// `bgctl status` for people: one block an application, then what is wrong.
#include <algorithm>
#include <array>

#include "controller/commands/status_view.hpp"
#include "controller/config/percent.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using Row = std::array<std::string, 7>;

std::string endpoints_text(const shm::EndpointTable& table, const ProbeView& probes) {
  if (!shm::is_published(table)) {
    return "as in nginx.conf";
  }
  std::string text;
  for (std::uint32_t i = 0; i < probes.endpoints.size(); ++i) {
    char address[shm::kEndpointTextSize];
    shm::format_endpoint(table.endpoints[i], address);
    text += (text.empty() ? "" : " ") + printable(address);
    if (probes.endpoints[i].known) {
      text += " (" + std::string(shm::name_of(probes.endpoints[i].health)) + ")";
    }
  }
  return text.empty() ? "none" : text;
}

Row row_of(const AppView& app, Color color) {
  const std::size_t c = shm::index_of(color);
  const shm::Route& route = app.snapshot->route;
  const shm::EndpointTable& table = app.snapshot->tables[c];
  const std::string release = printable(shm::text_of(table.release));
  const bool active = route.active == color;
  return {std::string(shm::name_of(color)),
          active                ? "active"
          : route.closed(color) ? "closed"
          : route.weight != 0   ? "canary"
                                : "idle",
          release.empty() ? "-" : release,
          app.figures[c] ? std::to_string(app.figures[c]->in_flight) : "?",
          app.figures[c] ? std::to_string(app.figures[c]->waiting) : "?",
          app.figures[c] ? std::to_string(app.figures[c]->requests) : "?",
          endpoints_text(table, app.probes[c])};
}

std::string rows_text(const std::vector<Row>& rows) {
  std::array<std::size_t, 7> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    text += " ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += " " + row[i];
      if (i + 1 < row.size()) {
        text.append(widths[i] - row[i].size() + 1, ' ');
      }
    }
    text += "\n";
  }
  return text;
}

// "green: 12 by weight, 3 previews": how its requests came there, where that is not just by being
// active, and what was refused. Empty when there is nothing of it.
std::string ways_text(const AppView& app, Color color) {
  const auto& figures = app.figures[shm::index_of(color)];
  if (!figures) {
    return {};
  }
  const std::pair<std::uint64_t, const char*> ways[] = {{figures->weighted, " by weight"},
                                                        {figures->previews, " by preview"},
                                                        {figures->fallbacks, " by fallback"},
                                                        {figures->refused, " answered 503"}};
  std::string text;
  for (const auto& [count, way] : ways) {
    if (count != 0) {
      text += (text.empty() ? "" : ", ") + std::to_string(count) + way;
    }
  }
  return text.empty() ? text : "  " + std::string(shm::name_of(color)) + ": " + text + "\n";
}

// One line for each endpoint that is not as it should be: since when, and what its probe found.
std::string trouble_text(const AppView& app, Color color) {
  const std::size_t c = shm::index_of(color);
  std::string text;
  for (std::size_t i = 0; i < app.probes[c].endpoints.size(); ++i) {
    const EndpointHealth& found = app.probes[c].endpoints[i];
    if (found.health != shm::Health::kUnhealthy && found.health != shm::Health::kDegraded) {
      continue;
    }
    char address[shm::kEndpointTextSize];
    shm::format_endpoint(app.snapshot->tables[c].endpoints[i], address);
    const std::string since = utc_time_of_ns(found.since_unix_ns);
    text += "  " + printable(address) + " of " + std::string(shm::name_of(color)) + " is " +
            std::string(shm::name_of(found.health)) + (since.empty() ? "" : " since " + since) +
            (found.last_error.empty() ? "" : ": " + printable(found.last_error)) + "\n";
  }
  return text;
}

std::string app_text(const AppView& app) {
  if (!app.snapshot) {
    return printable(app.name) + ": damaged: " + printable(app.reason) + "\n";
  }
  const shm::Route& route = app.snapshot->route;
  std::string text = printable(app.name) + ": " + std::string(shm::name_of(route.active)) +
                     " serves, generation " + std::to_string(app.snapshot->generation);
  if (const std::string since = utc_time_of_ns(app.snapshot->flipped_unix_ns); !since.empty()) {
    text += ", since " + since;
  }
  if (route.weight != 0) {
    text += ", " + percent_text(route.weight) + " on " +
            std::string(shm::name_of(shm::other(route.active)));
  }
  for (const std::string& flag : flag_names(app)) {
    text += flag == "hold"                 ? ", held for " + readable(app.hold_left) + " more"
            : flag.rfind("closed", 0) == 0 ? ""
                                           : ", " + flag;
  }
  return text + "\n" +
         rows_text({{"color", "state", "release", "in flight", "waiting", "requests", "endpoints"},
                    row_of(app, Color::kBlue),
                    row_of(app, Color::kGreen)}) +
         ways_text(app, Color::kBlue) + ways_text(app, Color::kGreen) +
         trouble_text(app, Color::kBlue) + trouble_text(app, Color::kGreen);
}

}  // namespace

std::vector<std::string> flag_names(const AppView& app) {
  constexpr std::pair<shm::RouteFlag, const char*> kNames[] = {{shm::kFallback, "fallback"},
                                                               {shm::kHold, "hold"},
                                                               {shm::kMaintenance, "maintenance"},
                                                               {shm::kClosedBlue, "closed_blue"},
                                                               {shm::kClosedGreen, "closed_green"}};
  std::vector<std::string> names;
  for (const auto& [flag, name] : kNames) {
    if (app.snapshot->route.has(flag) && (flag != shm::kHold || app.hold_left.count() > 0)) {
      names.emplace_back(name);
    }
  }
  return names;
}

std::string status_table(const StatusView& view) {
  std::string text;
  for (const AppView& app : view.apps) {
    text += app_text(app);
  }
  if (view.control.state == "ok" && view.apps.empty()) {
    text += "no application yet; add one with `bgctl init --app NAME`\n";
  }
  text += "control " + view.control.state + ": " + printable(view.control.path) + "\n";
  if (view.telemetry.path.empty()) {
    text += "telemetry not named: give --telemetry to see requests\n";
  } else {
    text += "telemetry " + view.telemetry.state + ": " + printable(view.telemetry.path);
    text += view.telemetry.state != "ok"
                ? "\n"
                : ", " + std::to_string(view.live_workers) + " NGINX workers, " +
                      std::to_string(view.attached_workers) + " attached to this control file\n";
  }
  return text;
}

}  // namespace bluegreen
