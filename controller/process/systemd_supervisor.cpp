// A color's program as a systemd unit, bgctl-<app>-<color>.service: it is restarted when it dies,
// started at boot, and does not end with the unit that bgctl itself may run in.
//
// The unit file is the whole intent; the record beside the log has the image, which systemd does
// not know. The process number is asked of systemd each time, since a restart changes it. Records
// and logs lie in /var/lib, because after a boot the units run again and /run is empty.
#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

#include "controller/host/atomic_file.hpp"
#include "controller/process/proc_table.hpp"
#include "controller/process/supervisor.hpp"
#include "controller/process/systemd_unit.hpp"

namespace bluegreen {
namespace {

using std::chrono::milliseconds;

constexpr const char* kStateFolder = "/var/lib/bgctl/process";
constexpr milliseconds kSystemctlTakes{30'000};

class SystemdSupervisor final : public Supervisor {
 public:
  explicit SystemdSupervisor(std::string unit_folder) : unit_folder_(std::move(unit_folder)) {}

  std::string folder(const std::string&) const override { return kStateFolder; }

  Result<ProcessRecord> launch(const LaunchRequest& request) override;
  Result<std::optional<ProcessRecord>> running(const ProcessPlace& place) override;

  Result<void> stop(const ProcessPlace& place, milliseconds grace) override {
    if (!has_unit(place)) {
      return {};
    }
    // Disabled, too: what was stopped on purpose does not come back at boot.
    return systemctl({"disable", "--now", unit_of(place)}, grace + kSystemctlTakes);
  }

  Result<void> forget(const ProcessPlace& place) override;

  std::string last_exit(const ProcessPlace& place) override {
    const auto result = ask(place, "Result");
    const auto code = ask(place, "ExecMainStatus");
    if (!result || !code || *result == "success") {
      return {};
    }
    return fmt::format("ended: {}, status {}", *result, *code);
  }

 private:
  static std::string unit_of(const ProcessPlace& place) {
    return "bgctl-" + place.name + ".service";
  }
  std::string file_of(const ProcessPlace& place) const {
    return unit_folder_ + "/" + unit_of(place);
  }
  bool has_unit(const ProcessPlace& place) const {
    struct stat unused {};
    return ::stat(file_of(place).c_str(), &unused) == 0;
  }

  static tl::expected<ChildExit, std::string> run(std::vector<std::string> arguments,
                                                  milliseconds timeout) {
    ChildRequest request;
    request.argv = {"systemctl", "--no-ask-password"};
    request.argv.insert(request.argv.end(), arguments.begin(), arguments.end());
    request.environment = child_environment();
    request.timeout = timeout;
    return run_child(request);
  }

  static Result<void> systemctl(const std::vector<std::string>& arguments,
                                milliseconds timeout = kSystemctlTakes) {
    const auto exit = run(arguments, timeout);
    if (!exit) {
      return fail(ExitCode::kNotHealthy, exit.error());
    }
    if (!exit->ok()) {
      return tl::unexpected(Error{
          ExitCode::kNotHealthy,
          fmt::format("systemctl {} {} {}", arguments.front(), arguments.back(), describe(*exit)),
          {},
          exit->err});
    }
    return {};
  }

  static tl::expected<std::string, std::string> ask(const ProcessPlace& place,
                                                    const std::string& property) {
    auto exit = run({"show", "--value", "--property", property, unit_of(place)}, kSystemctlTakes);
    if (!exit || !exit->ok()) {
      return tl::unexpected(exit ? "systemctl show " + describe(*exit) : exit.error());
    }
    return exit->out.substr(0, exit->out.find('\n'));
  }

  std::string unit_folder_;
};

Result<ProcessRecord> SystemdSupervisor::launch(const LaunchRequest& request) {
  const ProcessPlace& place = request.place;
  ProcessRecord record;
  record.pid = 2;  // systemd is asked for the number; a record must have one
  record.image = request.image;
  record.argv = request.argv;
  record.started_unix_ms =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  for (const auto& [file, text] :
       {std::pair{place.log_file, std::string()}, std::pair{place.record_file, to_text(record)},
        std::pair{file_of(place), unit_text(request)}}) {
    if (auto written = replace_file(file, text); !written) {
      return fail(ExitCode::kNotHealthy, written.error());
    }
  }
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"daemon-reload"},
                                                    {"enable", unit_of(place)},
                                                    {"restart", unit_of(place)}}) {
    if (auto done = systemctl(arguments); !done) {
      return tl::unexpected(done.error());
    }
  }
  auto now = running(place);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (!*now) {
    return fail(ExitCode::kNotHealthy, fmt::format("{} {}", unit_of(place), last_exit(place)));
  }
  return **now;
}

Result<std::optional<ProcessRecord>> SystemdSupervisor::running(const ProcessPlace& place) {
  auto record = load_record(place);
  if (!record || !*record) {
    return record;
  }
  const auto text = ask(place, "MainPID");
  if (!text) {
    return fail(ExitCode::kPreflight, text.error());
  }
  int pid = 0;
  std::from_chars(text->data(), text->data() + text->size(), pid);
  const auto stat = pid > 1 ? stat_of(pid) : std::nullopt;
  if (!stat || !stat->alive()) {
    return std::optional<ProcessRecord>();
  }
  (*record)->pid = pid;
  (*record)->start_ticks = stat->start_ticks;
  (*record)->boot_id = boot_id();
  return record;
}

Result<void> SystemdSupervisor::forget(const ProcessPlace& place) {
  const bool had_unit = has_unit(place);
  for (const std::string& file : {file_of(place), place.record_file}) {
    if (auto done = remove_file(file); !done) {
      return fail(ExitCode::kNotHealthy, done.error());
    }
  }
  return had_unit ? systemctl({"daemon-reload"}) : Result<void>();
}

}  // namespace

std::unique_ptr<Supervisor> make_systemd_supervisor(std::string unit_folder) {
  return std::make_unique<SystemdSupervisor>(std::move(unit_folder));
}

std::unique_ptr<Supervisor> make_supervisor() {
  struct stat unused {};
  if (::stat("/run/systemd/system", &unused) == 0) {
    return make_systemd_supervisor("/etc/systemd/system");
  }
  return make_session_supervisor();
}

}  // namespace bluegreen
