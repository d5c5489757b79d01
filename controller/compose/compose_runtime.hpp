// The Runtime of applications that are services of a Compose project (ports/runtime.hpp).
//
// `docker compose` creates and starts; everything else goes through the Engine API. What Docker
// says is the truth: containers are found by Compose's labels, never by name. The environment file
// that names both colors' images is the only file changed here. Made by commands/make_runtime, used
// on bgctl's one thread under the application's lock. Errors are values.
#pragma once

#include <string>
#include <vector>

#include "controller/compose/compose_command.hpp"
#include "controller/compose/image_file.hpp"
#include "controller/config/config.hpp"
#include "controller/docker/engine_client.hpp"
#include "controller/ports/runtime.hpp"

namespace bluegreen {

class ComposeRuntime final : public Runtime {
 public:
  ComposeRuntime(ComposeConfig config, const std::string& docker_host, std::string run_dir);
  ComposeRuntime(const ComposeRuntime&) = delete;
  ComposeRuntime& operator=(const ComposeRuntime&) = delete;

  Result<void> preflight(Color idle) override;
  Result<PinnedImage> pull(const std::string& image, const Progress& progress) override;
  Result<std::string> find(const std::string& image) override { return engine_.find(image); }
  Result<void> start(Color color, const PinnedImage& image) override;
  Result<void> wait_healthy(Color color, Deadline deadline) override;
  Result<std::vector<Instance>> observe(Color color) override;
  Result<std::vector<shm::Endpoint>> endpoints(Color color) override;
  Result<void> stop(Color color) override;
  Result<void> remove(Color color) override;
  std::string log_tail(Color color, std::size_t lines) override;
  Result<void> settle() override;
  Result<void> run_once(const OneOff& one_off) override;
  Result<void> remove_once(const OneOff& one_off) override;
  Result<void> prune(const std::vector<std::string>& keep,
                     const std::vector<std::string>& ours) override;

 private:
  [[nodiscard]] ServiceFilter filter(Color color) const;
  [[nodiscard]] Result<void> check_disk(const std::string& folder, const char* what) const;
  [[nodiscard]] Result<void> check_env_file() const;
  Result<void> check_compose_file();
  Result<void> check_image(Color color, const PinnedImage& image) const;
  Result<void> remove_containers(Color color);
  Result<ProjectLock> take_once(const OneOff& one_off);
  Result<shm::Endpoint> endpoint_of(const ContainerFacts& container) const;
  tl::unexpected<Error> unhealthy(const std::string& what,
                                  const std::vector<ContainerFacts>& containers,
                                  const std::string& id);

  ComposeConfig config_;
  std::string run_dir_;
  EngineClient engine_;
  ComposeCommand compose_;
  ImageFile images_;
};

}  // namespace bluegreen
