// Who keeps a color's program: a session of its own that bgctl starts and ends itself, or a systemd
// unit where there is systemd (then it also comes back after a crash and at boot).
//
// ProcessRuntime owns one and calls it under the application's lock. Every call is idempotent and
// asks the system. `running` is the truth: the record of the program that runs now, if one does.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/host/child_process.hpp"
#include "controller/ports/result.hpp"
#include "controller/process/process_record.hpp"

namespace bluegreen {

// One color of one application, and the files that are its own, in Supervisor::folder.
struct ProcessPlace {
  std::string name;         // <app>-<color>
  std::string record_file;  // <name>.json
  std::string log_file;     // <name>.log, begun anew by each launch
};

struct LaunchRequest {
  ProcessPlace place;
  std::string image;
  std::vector<std::string> argv;
  Environment environment;
  std::string directory;
  std::chrono::milliseconds stop_timeout{10'000};
};

class Supervisor {
 public:
  virtual ~Supervisor() = default;

  // Where records and logs lie: it must live as long as the programs do.
  virtual std::string folder(const std::string& run_dir) const = 0;
  virtual Result<ProcessRecord> launch(const LaunchRequest& request) = 0;
  virtual Result<std::optional<ProcessRecord>> running(const ProcessPlace& place) = 0;
  // SIGTERM to all of it, SIGKILL to what is left after `grace`. The record stays.
  virtual Result<void> stop(const ProcessPlace& place, std::chrono::milliseconds grace) = 0;
  // After `stop`: removes what `launch` wrote, but not the log.
  virtual Result<void> forget(const ProcessPlace& place) = 0;
  // How the program that last ran ended ("exited with 1"), or empty when nobody knows.
  virtual std::string last_exit(const ProcessPlace& place) = 0;
};

std::unique_ptr<Supervisor> make_session_supervisor();
std::unique_ptr<Supervisor> make_systemd_supervisor(std::string unit_folder);

// systemd's where it is the init system of this host.
std::unique_ptr<Supervisor> make_supervisor();

// The record of a place as it stands in its file; empty when there is none.
Result<std::optional<ProcessRecord>> load_record(const ProcessPlace& place);

}  // namespace bluegreen
