// The Docker Engine API as the compose runtime needs it: pull, inspect, list, events, stop, logs.
//
// Every call asks the Engine anew. Answers are checked member by member, since an engine of
// another version may leave some out. Errors: kPull for images, else kPreflight (the runtime knows
// better where it stands and gives its own code). One thread; blocks until the call's time is up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/docker/engine_connection.hpp"
#include "controller/docker/image_reference.hpp"
#include "controller/docker/platform.hpp"
#include "controller/docker/pull_backoff.hpp"
#include "controller/ports/result.hpp"
#include "controller/ports/runtime.hpp"

namespace bluegreen {

struct ContainerFacts {
  std::string id;
  std::string name;
  std::string image;   // as it was created from: with a digest when we did it
  std::string status;  // created, running, restarting, exited, dead, ...
  bool running = false;
  bool out_of_memory = false;
  int exit_code = 0;
  int restarts = 0;
  std::string error;       // why the Engine could not start it
  std::string started_at;  // RFC 3339, another one for each start
  std::string health;      // none, starting, healthy, unhealthy
  std::string health_output;
  bool terminal = false;  // its log has no frames
  int stop_seconds = 10;
  std::map<std::string, std::string> addresses;  // network -> IPv4, else IPv6
};

// Which containers: those of a Compose service, one-off ones excluded.
struct ServiceFilter {
  std::string project;
  std::string service;
};

struct ImageFacts {
  std::string id;
  std::vector<std::string> digests;  // repo@sha256:...
  std::vector<std::string> tags;     // repo:tag
  Platform platform = {};            // of an inspected one
};

struct EngineFacts {
  std::string version;
  std::string data_folder;
  bool containerd_store = false;  // images lie with containerd, not (only) in data_folder
  Platform platform = {};
};

// What came of one try to pull, beside its error.
struct PullFailure;
struct PullRequest;

class EngineClient {
 public:
  explicit EngineClient(std::string host, PullBackoff backoff = {})
      : connection_(std::move(host)), backoff_(backoff) {}

  Result<EngineFacts> facts();
  [[nodiscard]] const std::string& host() const { return connection_.host(); }

  // Stopped ones, too; in the order of their creation.
  Result<std::vector<ContainerFacts>> containers(const ServiceFilter& filter);
  // Health, death and start of these containers from now on: wake-ups, no more. Subscribe, then
  // look.
  Result<HttpStream> events(const ServiceFilter& filter);
  Result<void> stop(const ContainerFacts& container);
  Result<void> remove(const ContainerFacts& container);
  std::string log_tail(const ContainerFacts& container, std::size_t lines);

  // Pulls and returns the name by digest (engine_pull.cpp), of an image that this machine can run.
  // What is transient is tried again, within a bound. Ends early, with any error, once `go_on` says
  // no.
  Result<std::string> pull(const std::string& image, const Progress& progress,
                           const std::function<bool()>& go_on = {});
  // One sentence: where the image would come from (engine_find.cpp). Has nothing pulled.
  Result<std::string> find(const std::string& image);
  Result<ImageFacts> image(const std::string& reference);
  Result<std::vector<ImageFacts>> images_of(const std::string& repository);
  // Of every container there is, also a stopped one.
  Result<std::set<std::string>> image_ids_in_use();
  // Takes one name from an image, and the image when it was the last.
  Result<void> remove_image(const std::string& reference);

 private:
  Result<std::optional<ContainerFacts>> inspect(const std::string& id);
  Result<std::string> pull_once(const PullRequest& request, PullFailure& failure);
  Result<std::string> pull_again(PullRequest& request);
  Result<void> check_platform(const std::string& pinned);

  EngineConnection connection_;
  PullBackoff backoff_;
};

// For tests: what an inspect's JSON says.
Result<ContainerFacts> parse_container(const std::string& inspect_json);

}  // namespace bluegreen
