// The Runtime of applications that are programs on this host (ports/runtime.hpp).
//
// Each color is one program on one port of 127.0.0.1, kept by a Supervisor; it is healthy when its
// health path answers 2xx. Made by commands/make_runtime, used on bgctl's one thread under the
// application's lock. Errors are values; log tails are the program's own output.
#pragma once

#include <memory>

#include "controller/config/config.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/process/supervisor.hpp"

namespace bluegreen {

class ProcessRuntime final : public Runtime {
 public:
  ProcessRuntime(const std::string& app, ProcessConfig config, milliseconds healthy_within,
                 const std::string& run_dir, std::unique_ptr<Supervisor> supervisor);

  Result<void> preflight(Color idle) override;
  Result<PinnedImage> pull(const std::string& image, const Progress& progress) override;
  Result<std::string> find(const std::string& image) override;
  Result<void> start(Color color, const PinnedImage& image) override;
  Result<void> wait_healthy(Color color, Deadline deadline) override;
  Result<std::vector<Instance>> observe(Color color) override;
  Result<std::vector<shm::Endpoint>> endpoints(Color color) override;
  Result<void> stop(Color color) override;
  Result<void> remove(Color color) override;
  std::string log_tail(Color color, std::size_t lines) override;

 private:
  [[nodiscard]] const ProcessPlace& place(Color color) const { return places_[index_of(color)]; }
  [[nodiscard]] std::uint16_t port(Color color) const { return config_.ports[index_of(color)]; }
  [[nodiscard]] Result<LaunchRequest> launch_request(Color color, const std::string& image) const;
  // Empty when the health path answers 2xx, else why not.
  [[nodiscard]] std::string ask_health(Color color, Deadline deadline) const;
  tl::unexpected<Error> died(Color color);

  ProcessConfig config_;
  milliseconds healthy_within_;
  std::string folder_;
  std::unique_ptr<Supervisor> supervisor_;
  ProcessPlace places_[2];
};

}  // namespace bluegreen
