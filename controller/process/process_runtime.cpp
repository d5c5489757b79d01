// See the header.
#include "controller/process/process_runtime.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "controller/docker/http_client.hpp"
#include "controller/host/atomic_file.hpp"
#include "controller/host/log_file.hpp"
#include "controller/process/command_line.hpp"
#include "controller/process/proc_table.hpp"

namespace bluegreen {
namespace {

using std::chrono::steady_clock;

// A health answer that takes longer is no sign of health.
constexpr milliseconds kAskFor{2'000};
// Between two questions: an application that has just started is asked often, then less so.
constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{250};
constexpr std::size_t kTailLines = 40;

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// True when the process ended within `pause`.
bool ended_within(const shm::UniqueFd& process, milliseconds pause) {
  pollfd waited{process.get(), POLLIN, 0};
  return ::poll(&waited, 1, static_cast<int>(pause.count())) > 0;
}

// Who listens on the port, once what we have just stopped has let go of it: its sockets belong to
// all of its threads, and the last of them may end a moment after the process counts as ended.
std::string holder_after_stop(std::uint16_t port) {
  constexpr milliseconds kLetsGoWithin{2'000};
  constexpr milliseconds kBetweenLooks{10};
  const auto until = steady_clock::now() + kLetsGoWithin;
  std::string holder = port_holder(port);
  while (!holder.empty() && steady_clock::now() < until) {
    std::this_thread::sleep_for(kBetweenLooks);  // a port that gets free is no event
    holder = port_holder(port);
  }
  return holder;
}

}  // namespace

ProcessRuntime::ProcessRuntime(const std::string& app, ProcessConfig config,
                               milliseconds healthy_within, const std::string& run_dir,
                               std::unique_ptr<Supervisor> supervisor)
    : config_(std::move(config)),
      healthy_within_(healthy_within),
      folder_(supervisor->folder(run_dir)),
      supervisor_(std::move(supervisor)) {
  for (const Color color : shm::kColors) {
    const std::string name = fmt::format("{}-{}", app, name_of(color));
    places_[index_of(color)] = {name, fmt::format("{}/{}.json", folder_, name),
                                fmt::format("{}/{}.log", folder_, name)};
  }
}

Result<void> ProcessRuntime::preflight(Color idle) {
  if (auto available = http_available(); !available) {
    return fail(ExitCode::kPreflight, available.error());
  }
  if (auto made = make_folder(folder_); !made) {
    return fail(ExitCode::kPreflight, made.error());
  }
  if (!is_folder(config_.directory)) {
    return fail(ExitCode::kPreflight,
                fmt::format("process.directory: '{}' is no folder", config_.directory));
  }
  const auto running = supervisor_->running(place(idle));
  if (!running) {
    return tl::unexpected(running.error());
  }
  // `start` ends what runs there of ours; anybody else's program on that port would answer health
  // checks and requests in its place.
  if (const std::string holder = port_holder(port(idle)); !holder.empty() && !*running) {
    return fail(ExitCode::kPreflight,
                fmt::format("port {} of {} is in use by {}", port(idle), name_of(idle), holder),
                "end that program or configure another port in process.ports");
  }
  return {};
}

Result<PinnedImage> ProcessRuntime::pull(const std::string& image, const Progress& progress) {
  if (auto checked = check_image_word(image); !checked) {
    return tl::unexpected(checked.error());
  }
  // Which color is not known here; a path that differs by color is checked for both.
  for (const Color color : shm::kColors) {
    const Substitutions values{image, color, port(color)};
    const std::string program = substituted(config_.command.front(), values);
    if (!find_program(program)) {
      return fail(ExitCode::kPull,
                  fmt::format("image '{}': {} is no executable file", image, program));
    }
    const std::string file = file_of_image(config_.command, values);
    struct stat unused {};
    if (!file.empty() && file != program && ::stat(file.c_str(), &unused) != 0) {
      return fail(ExitCode::kPull, fmt::format("image '{}': {} does not exist", image, file));
    }
  }
  if (progress) {
    progress(fmt::format("{} is on this host", image), {});
  }
  return PinnedImage{image, image};
}

Result<std::string> ProcessRuntime::find(const std::string& image) {
  auto here = pull(image, {});
  return here ? Result<std::string>(image + " is on this host") : tl::unexpected(here.error());
}

Result<LaunchRequest> ProcessRuntime::launch_request(Color color, const std::string& image) const {
  const Substitutions values{image, color, port(color)};
  LaunchRequest request;
  request.place = place(color);
  request.image = image;
  for (const std::string& word : config_.command) {
    request.argv.push_back(substituted(word, values));
  }
  const auto program = find_program(request.argv.front());
  if (!program) {
    return fail(ExitCode::kNotHealthy,
                fmt::format("{} is no executable file", request.argv.front()));
  }
  request.argv.front() = *program;
  // Not our whole environment: a program must not depend on who happened to deploy it.
  const Environment ours = child_environment();
  for (const char* name : {"PATH", "HOME", "LANG", "TZ"}) {
    const auto value = value_in(ours, name);
    if (!value.empty() && !config_.environment.contains(name)) {
      request.environment.push_back(fmt::format("{}={}", name, value));
    }
  }
  for (const auto& [name, value] : config_.environment) {
    request.environment.push_back(fmt::format("{}={}", name, substituted(value, values)));
  }
  request.directory = config_.directory;
  request.stop_timeout = config_.stop_timeout;
  return request;
}

Result<void> ProcessRuntime::start(Color color, const PinnedImage& image) {
  if (auto made = make_folder(folder_); !made) {
    return fail(ExitCode::kNotHealthy, made.error());
  }
  const auto request = launch_request(color, image.pinned);
  if (!request) {
    return tl::unexpected(request.error());
  }
  if (auto stopped = supervisor_->stop(place(color), config_.stop_timeout); !stopped) {
    return stopped;
  }
  if (const std::string holder = holder_after_stop(port(color)); !holder.empty()) {
    return fail(ExitCode::kNotHealthy,
                fmt::format("port {} of {} is in use by {}", port(color), name_of(color), holder));
  }
  const auto launched = supervisor_->launch(*request);
  if (!launched) {
    return tl::unexpected(launched.error());
  }
  return {};
}

std::string ProcessRuntime::ask_health(Color color, Deadline deadline) const {
  HttpRequest request;
  request.url = fmt::format("http://127.0.0.1:{}{}", port(color), config_.health);
  request.deadline = std::min(deadline, steady_clock::now() + kAskFor);
  const auto answer = http_request(request);
  if (!answer) {
    return answer.error().text;
  }
  if (answer->status / 100 != 2) {
    return fmt::format("{} answered {}", config_.health, answer->status);
  }
  return {};
}

tl::unexpected<Error> ProcessRuntime::died(Color color) {
  const std::string how = supervisor_->last_exit(place(color));
  return tl::unexpected(
      Error{ExitCode::kNotHealthy,
            fmt::format("{} {}", place(color).name, how.empty() ? "does not run" : how),
            "its log is " + place(color).log_file, log_tail(color, kTailLines)});
}

Result<void> ProcessRuntime::wait_healthy(Color color, Deadline deadline) {
  const auto running = supervisor_->running(place(color));
  if (!running) {
    return tl::unexpected(running.error());
  }
  if (!*running) {
    return died(color);
  }
  const shm::UniqueFd process =
      open_process({(*running)->pid, {}, 'S', 0, (*running)->start_ticks});
  if (!process) {
    return died(color);
  }
  milliseconds pause = kFirstPause;
  for (;;) {
    const std::string reason = ask_health(color, deadline);
    if (reason.empty()) {
      return ended_within(process, milliseconds(0)) ? Result<void>(died(color)) : Result<void>();
    }
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (stop_asked()) {
      return stopped_on_request();
    }
    if (ended_within(process, std::clamp(left, milliseconds(0), pause))) {
      return died(color);
    }
    if (left <= pause) {
      return tl::unexpected(
          Error{ExitCode::kNotHealthy,
                fmt::format("{} is not healthy in time: {}", place(color).name, reason),
                "its log is " + place(color).log_file, log_tail(color, kTailLines)});
    }
    pause = std::min(2 * pause, kLongestPause);
  }
}

Result<std::vector<Instance>> ProcessRuntime::observe(Color color) {
  const auto running = supervisor_->running(place(color));
  if (!running) {
    return tl::unexpected(running.error());
  }
  std::vector<Instance> out;
  if (!*running) {
    return out;
  }
  const ProcessRecord& record = **running;
  Instance instance;
  instance.id = fmt::format("{}@{}", record.pid, record.start_ticks);
  instance.identity = identity_of(record);
  instance.image = record.image;
  const auto age =
      std::chrono::system_clock::now().time_since_epoch() - milliseconds(record.started_unix_ms);
  if (ask_health(color, steady_clock::now() + kAskFor).empty()) {
    instance.health = Health::kHealthy;
  } else if (age > healthy_within_) {
    instance.health = Health::kUnhealthy;
  }
  out.push_back(std::move(instance));
  return out;
}

Result<std::vector<shm::Endpoint>> ProcessRuntime::endpoints(Color color) {
  const auto running = supervisor_->running(place(color));
  if (!running) {
    return tl::unexpected(running.error());
  }
  std::vector<shm::Endpoint> out;
  shm::Endpoint endpoint{};
  if (*running && shm::parse_endpoint(fmt::format("127.0.0.1:{}", port(color)), endpoint)) {
    endpoint.identity = identity_of(**running);
    out.push_back(endpoint);
  }
  return out;
}

Result<void> ProcessRuntime::stop(Color color) {
  return supervisor_->stop(place(color), config_.stop_timeout);
}

Result<void> ProcessRuntime::remove(Color color) {
  if (auto stopped = stop(color); !stopped) {
    return stopped;
  }
  return supervisor_->forget(place(color));
}

std::string ProcessRuntime::log_tail(Color color, std::size_t lines) {
  return file_tail(place(color).log_file, lines);
}

}  // namespace bluegreen
