// bgctl check: what monitoring in Nagios' manner runs. One line on stdout, performance data behind
// the bar, and an exit code of Nagios' own (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN), which no other
// command uses. Reads both regions, changes and locks nothing, needs no NGINX, Docker or network.
//
// CRITICAL, UNKNOWN or WARNING, the worst first; docs/commands.md has the same list:
//   UNKNOWN   nothing can be read: no configuration, neither region, no such application
//   CRITICAL  the control file, or an application's record in it, is missing or damaged; telemetry
//             is; no NGINX worker is alive, or none is attached to this control file; the active
//             color has no endpoint, or all of them are unhealthy
//   WARNING   telemetry is not named; a worker is not attached; figures are inexact; an endpoint is
//             unhealthy or degraded; none of the active color's is known to be healthy although
//             NGINX probes it; the prober is gone; a hold or maintenance is in force
#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/commands/status_view.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

enum class Level : std::uint8_t { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };

constexpr const char* kWords[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

struct Finding {
  Level level;
  std::string what;
};
using Findings = std::vector<Finding>;

// Nagios' own order of what is worse has UNKNOWN below CRITICAL: an outage that is known goes
// first.
int badness(Level level) {
  return level == Level::kCritical ? 3 : level == Level::kUnknown ? 2 : static_cast<int>(level);
}

std::size_t count_of(const ProbeView& view, shm::Health health) {
  return static_cast<std::size_t>(
      std::count_if(view.endpoints.begin(), view.endpoints.end(),
                    [health](const EndpointHealth& found) { return found.health == health; }));
}

void find_in_regions(const StatusView& view, Findings& findings) {
  const bool control_ok = view.control.state == "ok";
  const bool telemetry_ok = view.telemetry.state == "ok";
  const auto add = [&findings](bool is_so, Level level, const std::string& what) {
    if (is_so) {
      findings.push_back({level, what});
    }
  };
  const bool nothing = !control_ok && !telemetry_ok && view.apps.empty();
  add(!control_ok, nothing ? Level::kUnknown : Level::kCritical,
      "control is " + view.control.state + ": " + view.control.reason);
  if (view.telemetry.path.empty()) {
    add(true, Level::kWarning, "telemetry is not named: NGINX cannot be looked at");
    return;
  }
  add(!telemetry_ok, nothing ? Level::kUnknown : Level::kCritical,
      "telemetry is " + view.telemetry.state + ": " + view.telemetry.reason);
  if (!telemetry_ok) {
    return;
  }
  const std::string of_workers = " of " + std::to_string(view.live_workers) + " NGINX workers ";
  add(view.live_workers == 0, Level::kCritical, "no NGINX worker is alive");
  add(control_ok && view.attached_workers < view.live_workers,
      view.attached_workers == 0 ? Level::kCritical : Level::kWarning,
      std::to_string(view.attached_workers) + of_workers + "are attached to the control file");
  add(view.slotless != 0, Level::kWarning,
      std::to_string(view.slotless) + " NGINX workers without a slot: figures are inexact");
}

void find_in_color(const AppView& app, Color color, Findings& findings) {
  const std::size_t c = shm::index_of(color);
  const ProbeView& probes = app.probes[c];
  const std::string name = app.name + ": " + std::string(shm::name_of(color));
  const bool active = app.snapshot->route.active == color;
  const std::size_t unhealthy = count_of(probes, shm::Health::kUnhealthy);
  const std::size_t count = probes.endpoints.size();
  if (active && count == 0 && shm::is_published(app.snapshot->tables[c])) {
    findings.push_back({Level::kCritical, name + " serves and has no endpoint"});
  }
  bool first = true;
  for (std::size_t i = 0; i < count; ++i) {
    const EndpointHealth& found = probes.endpoints[i];
    if (found.health != shm::Health::kUnhealthy && found.health != shm::Health::kDegraded) {
      continue;
    }
    char address[shm::kEndpointTextSize];
    shm::format_endpoint(app.snapshot->tables[c].endpoints[i], address);
    const bool dead = active && unhealthy == count;
    std::string what = name + " " + address + " is " + std::string(shm::name_of(found.health));
    if (dead) {
      what = name + " serves and all its endpoints are unhealthy: " + address;
    }
    what += found.last_error.empty() ? "" : " (" + found.last_error + ")";
    if (first || !dead) {
      findings.push_back({dead ? Level::kCritical : Level::kWarning, what});
    }
    first = false;
  }
  const std::size_t well =
      count_of(probes, shm::Health::kHealthy) + count_of(probes, shm::Health::kDegraded);
  if (active && count != 0 && well == 0 && unhealthy < count && probes.probed) {
    findings.push_back({Level::kWarning, name + " serves, not known to be healthy yet"});
  }
  const bool known = std::any_of(probes.endpoints.begin(), probes.endpoints.end(),
                                 [](const EndpointHealth& found) { return found.known; });
  if (active && known && !probes.prober.has_lease) {
    findings.push_back({Level::kWarning, name + " was probed, but no worker probes any more"});
  }
}

void find_in_app(const AppView& app, Findings& findings) {
  if (!app.snapshot) {
    findings.push_back({Level::kCritical, app.name + " is damaged: " + app.reason});
    return;
  }
  if (app.hold_left.count() > 0) {
    findings.push_back(
        {Level::kWarning, app.name + ": requests are held for " + readable(app.hold_left)});
  }
  if (app.snapshot->route.has(shm::kMaintenance)) {
    findings.push_back({Level::kWarning, app.name + ": maintenance is on"});
  }
  for (const Color color : shm::kColors) {
    find_in_color(app, color, findings);
  }
}

// "app: green serves v2, 2 of 2 healthy"
std::string serving_text(const AppView& app) {
  const Color active = app.snapshot->route.active;
  const std::size_t c = shm::index_of(active);
  const std::string_view release = shm::text_of(app.snapshot->tables[c].release);
  const ProbeView& probes = app.probes[c];
  std::string text = app.name + ": " + std::string(shm::name_of(active)) + " serves";
  text += release.empty() ? "" : " " + std::string(release);
  if (probes.probed && !probes.endpoints.empty()) {
    text += ", " + std::to_string(count_of(probes, shm::Health::kHealthy)) + " of " +
            std::to_string(probes.endpoints.size()) + " healthy";
  }
  return text;
}

std::string performance_of(const AppView& app, Color color) {
  const std::size_t c = shm::index_of(color);
  const std::string label = " " + app.name + "_" + std::string(shm::name_of(color)) + "_";
  std::string text;
  if (const auto& figures = app.figures[c]) {
    text += label + "requests=" + std::to_string(figures->requests) + "c" + label +
            "in_flight=" + std::to_string(figures->in_flight) + label +
            "refused=" + std::to_string(figures->refused) + "c";
  }
  if (!app.probes[c].endpoints.empty() && app.probes[c].readable) {
    text += label + "healthy=" + std::to_string(count_of(app.probes[c], shm::Health::kHealthy)) +
            ";;;0;" + std::to_string(app.probes[c].endpoints.size());
  }
  return text;
}

std::string performance_of(const StatusView& view) {
  std::string text = "workers=" + std::to_string(view.live_workers) +
                     " attached=" + std::to_string(view.attached_workers);
  for (const AppView& app : view.apps) {
    if (app.snapshot) {
      text += " " + app.name + "_generation=" + std::to_string(app.snapshot->generation);
      text += performance_of(app, Color::kBlue) + performance_of(app, Color::kGreen);
    }
  }
  return text;
}

Level worst_of(const Findings& findings) {
  Level worst = Level::kOk;
  for (const Finding& finding : findings) {
    worst = badness(finding.level) > badness(worst) ? finding.level : worst;
  }
  return worst;
}

std::string line_of(Level level, const std::string& text, const std::string& performance) {
  std::string line =
      std::string("BLUEGREEN ") + kWords[static_cast<int>(level)] + " - " + printable(text);
  // The bar begins the performance data; it may not come from a text of somebody else's.
  std::replace(line.begin(), line.end(), '|', '/');
  return line + (performance.empty() ? "" : " | " + performance);
}

int end(CommandContext& context, Findings findings, const std::string& well,
        const std::string& performance) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return badness(a.level) > badness(b.level);
  });
  const Level level = worst_of(findings);
  std::string text;
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    text += (text.empty() ? "" : "; ") + finding.what;
    list.push_back({{"level", kWords[static_cast<int>(finding.level)]}, {"what", finding.what}});
  }
  text = text.empty() ? well : text;
  const std::string line = line_of(level, text, performance);
  const nlohmann::json document = {{"schema", 1},
                                   {"command", "check"},
                                   {"exit", static_cast<int>(level)},
                                   {"state", kWords[static_cast<int>(level)]},
                                   {"line", line},
                                   {"findings", std::move(list)}};
  context.done(context.json()
                   ? document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                   : line);
  return static_cast<int>(level);
}

}  // namespace

int check_command(CommandContext& context) {
  auto target = context.target();
  if (!target) {
    return end(context, {{Level::kUnknown, target.error().what}}, {}, {});
  }
  target->app = context.global().app;  // without --app all are looked at
  const StatusView view = look_at(*target);
  Findings findings;
  find_in_regions(view, findings);
  if (view.control.state == "ok" && view.apps.empty()) {
    const std::string named = target->app.empty() ? "" : " \"" + target->app + "\"";
    findings.push_back({Level::kUnknown, target->control + ": there is no application" + named});
  }
  std::string well;
  for (const AppView& app : view.apps) {
    find_in_app(app, findings);
    if (app.snapshot) {
      well += (well.empty() ? "" : "; ") + serving_text(app);
    }
  }
  return end(context, std::move(findings), well, performance_of(view));
}

}  // namespace bluegreen
