// See the header; the checks are in compose_preflight.cpp.
#include "controller/compose/compose_runtime.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/compose/health_gate.hpp"
#include "controller/docker/json_stream.hpp"
#include "shm/checksum.hpp"

namespace bluegreen {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kTailLines = 40;
// Events wake us; should one be lost, we look again after this time.
constexpr milliseconds kLookAgain{2'000};
// So soon is a request to stop noticed while we wait for events.
constexpr milliseconds kStopNoticed{200};

std::uint64_t identity_of(const ContainerFacts& container) {
  const std::uint64_t id = shm::crc32c(container.id.data(), container.id.size());
  const std::uint64_t start = shm::crc32c(container.started_at.data(), container.started_at.size());
  const std::uint64_t mixed = shm::mix64(id << 32U ^ start);
  return mixed == 0 ? 1 : mixed;
}

Health health_of(const ContainerFacts& container) {
  if (container.health == "healthy") {
    return Health::kHealthy;
  }
  return container.health == "unhealthy" ? Health::kUnhealthy : Health::kStarting;
}

// The same failure, as the step that met it: an Engine that stops answering in the middle of a
// deploy is no failed preflight.
tl::unexpected<Error> as(ExitCode code, Error error) {
  error.code = code;
  return tl::unexpected(std::move(error));
}

}  // namespace

ComposeRuntime::ComposeRuntime(ComposeConfig config, const std::string& docker_host,
                               std::string run_dir)
    : config_(std::move(config)),
      run_dir_(std::move(run_dir)),
      engine_(docker_host, PullBackoff{.tries = static_cast<int>(config_.pull_tries)}),
      compose_(config_, docker_host),
      images_(config_.env_file, config_.image_variables) {}

ServiceFilter ComposeRuntime::filter(Color color) const {
  return {config_.project, config_.services[index_of(color)]};
}

Result<PinnedImage> ComposeRuntime::pull(const std::string& image, const Progress& progress) {
  auto pinned = engine_.pull(image, progress, [this] { return !has_to_end(); });
  if (has_to_end()) {
    return stopped_on_request();
  }
  if (!pinned) {
    return as(ExitCode::kPull, pinned.error());
  }
  if (pinned->size() >= shm::kImageSize) {
    return fail(ExitCode::kPull, fmt::format("{} has {} characters, expected at most {}", *pinned,
                                             pinned->size(), shm::kImageSize - 1));
  }
  PinnedImage out{image, std::move(*pinned)};
  if (const auto reference = parse_image_reference(image); reference && reference->floats()) {
    out.warning = fmt::format(
        "{} names another image after the next push: deploy a tag of its own for each release",
        image);
  }
  return out;
}

Result<void> ComposeRuntime::start(Color color, const PinnedImage& image) {
  const auto lock = ProjectLock::acquire(run_dir_, config_.project, kOthersUp);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto set = images_.set(color, image.pinned); !set) {
    return fail(ExitCode::kNotHealthy, set.error());
  }
  if (auto checked = check_image(color, image); !checked) {
    return checked;
  }
  // Always a new container: none is left of a start that was interrupted half-way, and its
  // identity is another one, so nothing is inherited from what had the address before.
  if (auto removed = remove_containers(color); !removed) {
    return removed;
  }
  return compose_.up(config_.services[index_of(color)], *lock);
}

tl::unexpected<Error> ComposeRuntime::unhealthy(const std::string& what,
                                                const std::vector<ContainerFacts>& containers,
                                                const std::string& id) {
  Error error{ExitCode::kNotHealthy, what};
  for (const ContainerFacts& container : containers) {
    if (container.id == id) {
      error.tail = engine_.log_tail(container, kTailLines);
    }
  }
  return tl::unexpected(std::move(error));
}

Result<void> ComposeRuntime::wait_healthy(Color color, Deadline deadline) {
  auto events = engine_.events(filter(color));
  if (!events) {
    return as(ExitCode::kNotHealthy, events.error());
  }
  JsonStream objects;
  std::string died_with;
  for (;;) {
    const auto containers = engine_.containers(filter(color));
    if (!containers) {
      return as(ExitCode::kNotHealthy, containers.error());
    }
    const HealthVerdict verdict = judge_health(*containers);
    if (verdict.state == HealthVerdict::State::kHealthy) {
      return {};
    }
    if (verdict.state == HealthVerdict::State::kFailed) {
      const std::string code = died_with.empty() ? "" : " (it had exited with " + died_with + ")";
      return unhealthy(verdict.reason + code, *containers, verdict.container);
    }
    const auto now = steady_clock::now();
    if (now >= deadline) {
      return unhealthy("not healthy in time: " + verdict.reason, *containers, verdict.container);
    }
    const Deadline until = std::min<Deadline>(deadline, now + kLookAgain);
    auto woken = events->wait(std::min<Deadline>(until, now + kStopNoticed));
    while (woken && woken->empty() && steady_clock::now() < until && !stop_asked()) {
      woken = events->wait(std::min<Deadline>(until, steady_clock::now() + kStopNoticed));
    }
    if (stop_asked()) {
      return stopped_on_request();
    }
    if (!woken) {
      return fail(ExitCode::kNotHealthy,
                  fmt::format("Docker Engine at {} stopped sending events: {}", engine_.host(),
                              woken.error().text));
    }
    for (const std::string& object : objects.feed(*woken)) {
      died_with = exit_code_of_event(object).value_or(died_with);
    }
  }
}

Result<std::vector<Instance>> ComposeRuntime::observe(Color color) {
  const auto containers = engine_.containers(filter(color));
  if (!containers) {
    return tl::unexpected(containers.error());
  }
  std::vector<Instance> out;
  for (const ContainerFacts& container : *containers) {
    if (container.running) {
      out.push_back({container.id, identity_of(container), container.image, health_of(container)});
    }
  }
  return out;
}

Result<shm::Endpoint> ComposeRuntime::endpoint_of(const ContainerFacts& container) const {
  std::string address;
  std::string known;
  for (const auto& [network, at] : container.addresses) {
    const bool asked =
        config_.network.empty()
            ? container.addresses.size() == 1
            : network == config_.network || network == config_.project + "_" + config_.network;
    address = asked ? at : address;
    known += (known.empty() ? "" : ", ") + network;
  }
  if (address.empty()) {
    return fail(ExitCode::kNotHealthy,
                config_.network.empty()
                    ? fmt::format("container {} is in the networks {}: compose.network must say "
                                  "which one NGINX shares",
                                  container.name, known.empty() ? "(none)" : known)
                    : fmt::format("container {} has no address in network {}, it is in {}",
                                  container.name, config_.network, known));
  }
  const bool v6 = address.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + address + "]" : address;
  shm::Endpoint endpoint{};
  if (!shm::parse_endpoint(fmt::format("{}:{}", host, config_.port), endpoint)) {
    return fail(ExitCode::kNotHealthy,
                fmt::format("container {} has the address '{}'", container.name, address));
  }
  endpoint.identity = identity_of(container);
  return endpoint;
}

Result<std::vector<shm::Endpoint>> ComposeRuntime::endpoints(Color color) {
  const auto containers = engine_.containers(filter(color));
  if (!containers) {
    return as(ExitCode::kNotHealthy, containers.error());
  }
  std::vector<shm::Endpoint> out;
  for (const ContainerFacts& container : *containers) {
    if (!container.running) {
      continue;
    }
    const auto endpoint = endpoint_of(container);
    if (!endpoint) {
      return tl::unexpected(endpoint.error());
    }
    out.push_back(*endpoint);
  }
  return out;
}

Result<void> ComposeRuntime::stop(Color color) {
  const auto containers = engine_.containers(filter(color));
  if (!containers) {
    return as(ExitCode::kNotHealthy, containers.error());
  }
  for (const ContainerFacts& container : *containers) {
    // One that is between two restarts does not run, but would again.
    if (container.running || container.status == "restarting") {
      if (auto stopped = engine_.stop(container); !stopped) {
        return as(ExitCode::kNotHealthy, stopped.error());
      }
    }
  }
  return {};
}

Result<void> ComposeRuntime::remove_containers(Color color) {
  if (auto stopped = stop(color); !stopped) {
    return stopped;
  }
  const auto containers = engine_.containers(filter(color));
  if (!containers) {
    return as(ExitCode::kNotHealthy, containers.error());
  }
  for (const ContainerFacts& container : *containers) {
    if (auto removed = engine_.remove(container); !removed) {
      return as(ExitCode::kNotHealthy, removed.error());
    }
  }
  return {};
}

Result<void> ComposeRuntime::remove(Color color) {
  // An `up` that a killed bgctl left at work would create the container after we have looked.
  const auto lock = ProjectLock::acquire(run_dir_, config_.project, kOthersUp);
  if (!lock) {
    return as(ExitCode::kNotHealthy, lock.error());
  }
  if (auto removed = remove_containers(color); !removed) {
    return removed;
  }
  if (auto restored = images_.restore(color); !restored) {
    return fail(ExitCode::kNotHealthy, restored.error());
  }
  return {};
}

std::string ComposeRuntime::log_tail(Color color, std::size_t lines) {
  const auto containers = engine_.containers(filter(color));
  return containers && !containers->empty() ? engine_.log_tail(containers->back(), lines)
                                            : std::string();
}

Result<void> ComposeRuntime::settle() {
  const auto lock = ProjectLock::acquire(run_dir_, config_.project, kOthersUp);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto settled = images_.settle(); !settled) {
    return fail(ExitCode::kNotHealthy, settled.error());
  }
  return {};
}

}  // namespace bluegreen
