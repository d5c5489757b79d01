// How an application's two colors are run: the one interface between a deploy and what runs it.
//
// Adapters: controller/compose (containers, through Docker's Engine API and `docker compose`) and
// controller/process (programs on this host). Every call names its color, is idempotent, and may
// be repeated after a crash; `observe` asks the world and not memory. Blocking calls end by their
// deadline. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/output/event_details.hpp"
#include "controller/ports/regions.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

using Deadline = std::chrono::steady_clock::time_point;

// An image that is here, under the name that will run it for ever: by digest where there is one.
struct PinnedImage {
  std::string requested;     // as the user gave it
  std::string pinned;        // repo@sha256:..., or the same word in the process runtime
  std::string warning = {};  // what should be done otherwise next time, of a pull; else empty
};

enum class Health : std::uint8_t { kStarting, kHealthy, kUnhealthy };

// One running instance of a color.
struct Instance {
  std::string id;          // container id, or process id with its start time
  std::uint64_t identity;  // for shm::Endpoint: another one for each start
  std::string image;       // what it was started from
  Health health = Health::kStarting;
};

// A service that is run once, to its end, beside the colors.
struct OneOff {
  std::string name;                      // of its container
  std::string service;                   // as the configuration of the runtime names it
  std::string image;                     // pinned
  std::vector<std::string> environment;  // NAME=value, no secrets
  std::chrono::milliseconds timeout{0};
  std::function<void(const std::string&)> line = {};  // each line of its output, as it comes
};

// A line for people (empty: only the bars have moved) and how far the layers are.
using Progress = std::function<void(const std::string&, const PullDetails&)>;

class Runtime {
 public:
  virtual ~Runtime() = default;

  // `pull` and `wait_healthy`, which may take minutes, end with kAborted soon after this says yes.
  void stop_when(std::function<bool()> asked) { stop_asked_ = std::move(asked); }
  // `pull` too soon after this moment, which the driver sets for the step that is running.
  void end_by(std::optional<Deadline> deadline) { end_by_ = deadline; }

  // Everything that can be checked before anything is changed (kPreflight).
  virtual Result<void> preflight(Color idle) = 0;
  // Has the image here and pins it (kPull).
  virtual Result<PinnedImage> pull(const std::string& image, const Progress& progress) = 0;
  // Whether `pull` would have it, in one sentence, without doing it (kPull).
  virtual Result<std::string> find(const std::string& image) = 0;
  // Starts `color` from the image, replacing what ran there before (kNotHealthy).
  virtual Result<void> start(Color color, const PinnedImage& image) = 0;
  // Returns when every instance of the color is healthy; fails at once when one dies (kNotHealthy,
  // with its last health output and its log's tail).
  virtual Result<void> wait_healthy(Color color, Deadline deadline) = 0;
  // What runs now; empty when nothing does.
  virtual Result<std::vector<Instance>> observe(Color color) = 0;
  // Where NGINX reaches the color, in the order of observe.
  virtual Result<std::vector<shm::Endpoint>> endpoints(Color color) = 0;
  // SIGTERM, then SIGKILL after the configured grace; keeps what is needed to start it again.
  virtual Result<void> stop(Color color) = 0;
  // Stops and leaves nothing behind; restores what `start` changed in files.
  virtual Result<void> remove(Color color) = 0;
  virtual std::string log_tail(Color color, std::size_t lines) = 0;

  // Runs a service once from that image and leaves nothing of it, however it ends (kMigration, with
  // its last lines; kAborted on a request to stop). The runtime of processes has no services.
  virtual Result<void> run_once(const OneOff& one_off) {
    return fail(ExitCode::kMigration, "there is no service " + one_off.service + " to run");
  }
  // Ends and removes what a killed bgctl has left of `run_once`; nothing to do is well.
  virtual Result<void> remove_once(const OneOff& one_off) {
    static_cast<void>(one_off);
    return {};
  }

  // What an earlier `start` changed is final from here on: `remove` no longer restores what was
  // before it. Called before a `start`, when every earlier deploy is known to be finished or
  // undone.
  virtual Result<void> settle() { return {}; }

  // After the verdict of a deploy that went well: `settle`, and images go that this application's
  // deploys brought here. `ours` are the names that they asked for or pinned, `keep` the pinned
  // ones that a rollback of this or of another application may need. An image stays, too, while a
  // container of anybody is made of it or while it has a name that is not in `ours`.
  // Housekeeping: a failure is worth a line in the trace, not an exit code.
  virtual Result<void> prune(const std::vector<std::string>& keep,
                             const std::vector<std::string>& ours) {
    static_cast<void>(keep);
    static_cast<void>(ours);
    return {};
  }

 protected:
  bool stop_asked() const { return stop_asked_ && stop_asked_(); }
  bool has_to_end() const {
    return stop_asked() || (end_by_ && std::chrono::steady_clock::now() >= *end_by_);
  }
  static tl::unexpected<Error> stopped_on_request() {
    return fail(ExitCode::kAborted, "stopped on request");
  }

 private:
  std::function<bool()> stop_asked_;
  std::optional<Deadline> end_by_;
};

}  // namespace bluegreen
