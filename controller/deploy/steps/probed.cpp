// See probed.hpp.
#include "controller/deploy/steps/probed.hpp"

#include <algorithm>

#include "controller/output/printable.hpp"

namespace bluegreen {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBetweenProbeLooks{100};
constexpr milliseconds kNobodyAfter{3'000};

bool is_well(const EndpointHealth& found) {
  return found.health == shm::Health::kHealthy || found.health == shm::Health::kDegraded;
}

// "127.0.0.1:8102 is unhealthy: connect() refused": the first endpoint that is not well, the ones
// that are known to be bad before those that nobody knows. Empty when all are well.
std::string trouble_of(const shm::EndpointTable& table, const ProbeView& view) {
  const EndpointHealth* worst = nullptr;
  for (const EndpointHealth& found : view.endpoints) {
    if (!is_well(found) &&
        (worst == nullptr || (worst->last_error.empty() && !found.last_error.empty()))) {
      worst = &found;
    }
  }
  if (worst == nullptr) {
    return {};
  }
  char address[shm::kEndpointTextSize];
  shm::format_endpoint(table.endpoints[worst - view.endpoints.data()], address);
  return printable(address) + " is " +
         (worst->health == shm::Health::kUnhealthy ? "unhealthy" : "not known to be healthy") +
         (worst->last_error.empty() ? "" : ": " + printable(worst->last_error));
}

// The worst that the probes have found, for a view.
HealthDetails health_of(const Deploy& deploy, const shm::EndpointTable& table,
                        const ProbeView& view) {
  HealthDetails details{text(deploy.plan.idle), "", "healthy", table.count, 0};
  for (const EndpointHealth& found : view.endpoints) {
    details.healthy += is_well(found) ? 1 : 0;
    if (found.health == shm::Health::kUnhealthy) {
      details.nginx = "unhealthy";
    } else if (!is_well(found) && details.nginx == "healthy") {
      details.nginx = "unknown";
    }
  }
  return details;
}

// Why nobody probes this application, and nobody will; empty while somebody does or may.
std::string why_nobody(const Deploy& deploy, const ProbeView& view, bool patience_is_over) {
  if (!view.readable) {
    return view.reason;
  }
  if (deploy.world.telemetry.attachment(deploy.world.control_id).live_workers == 0) {
    return "no NGINX worker is alive";
  }
  const bool one_is_known = std::any_of(view.endpoints.begin(), view.endpoints.end(),
                                        [](const EndpointHealth& found) { return found.known; });
  // Epoch 0: since this telemetry was made, no worker has ever taken the lease.
  const bool sure = patience_is_over || view.prober.epoch == 0;
  if (!sure || one_is_known || (view.prober.has_lease && view.probed)) {
    return {};
  }
  return view.prober.has_lease ? "NGINX probes other applications only"
                               : "no NGINX worker probes anything";
}

std::string late(const Deploy& deploy, const ProbeView& view, const std::string& trouble) {
  constexpr milliseconds kSilence{3'000};
  std::string what = "NGINX's probes did not find " + text(deploy.plan.idle) + " healthy within " +
                     readable(deploy.config.healthy_within) + ": " + trouble;
  if (!view.prober.has_lease) {
    what += " (no worker probes any more)";
  } else if (view.prober.renewed_ago > kSilence) {
    what += " (NGINX worker " + std::to_string(view.prober.pid) +
            ", which probes, has been silent " + "for " + readable(view.prober.renewed_ago) + ")";
  }
  return what;
}

}  // namespace

std::string ProbedStep::plan(const Deploy& deploy) const {
  return "wait until NGINX's probes find " + text(deploy.plan.idle) + " healthy";
}

Result<void> ProbedStep::run(Deploy& deploy) const {
  Clock& clock = deploy.world.clock;
  const Deadline patience =
      std::min(deploy.deadline, clock.now() + (deploy.plan.warm ? milliseconds(0) : kNobodyAfter));
  const auto now = deploy.world.control.read(deploy.plan.app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const shm::EndpointTable& table = now->tables[shm::index_of(deploy.plan.idle)];
  HealthDetails shown;
  for (;;) {
    const ProbeView view = deploy.world.telemetry.probes(deploy.plan.app, deploy.plan.idle, table);
    const std::string nobody = why_nobody(deploy, view, clock.now() >= patience);
    if (!nobody.empty()) {
      deploy.note("probed", "not waited for: " + nobody);
      return {};
    }
    if (const HealthDetails found = health_of(deploy, table, view);
        found.healthy != shown.healthy || found.nginx != shown.nginx) {
      shown = found;
      deploy.note("probed", "", shown);
    }
    const std::string trouble = trouble_of(table, view);
    if (trouble.empty()) {
      return {};
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deploy.deadline - clock.now());
    if (left.count() <= 0) {
      return fail(ExitCode::kNotHealthy, late(deploy, view, trouble),
                  "`bgctl status` shows what NGINX's probes find");
    }
    if (!clock.wait(std::min(left, kBetweenProbeLooks))) {
      return fail(ExitCode::kAborted, "stopped on request");
    }
  }
}

}  // namespace bluegreen
