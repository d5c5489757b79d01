// ComposeRuntime's one-off services: a migration from the new image, beside the colors.
//
// The service's container is made with both colors' image variables set to that image, in an
// environment file of its own: whichever of them the service names, it runs the new release, and
// neither color's file or container is touched. Its name leads to it after a crash, and it is
// removed whatever happens.
#include <fmt/format.h>
#include <unistd.h>

#include "controller/compose/compose_document.hpp"
#include "controller/compose/compose_runtime.hpp"
#include "controller/compose/temporary_file.hpp"
#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

constexpr milliseconds kLockTry{500};
constexpr int kLockTries = 60;

// The Engine takes a name for an id.
ContainerFacts container_of(const OneOff& one_off) {
  ContainerFacts container;
  container.id = one_off.name;
  container.name = one_off.name;
  return container;
}

}  // namespace

// The lock is also held by the `docker compose run` of a bgctl that was killed; without its
// container that one ends, unless it is just about to make it.
Result<ProjectLock> ComposeRuntime::take_once(const OneOff& one_off) {
  const ContainerFacts container = container_of(one_off);
  for (int left = kLockTries;; --left) {
    if (auto removed = engine_.remove(container); !removed) {
      return tl::unexpected(removed.error());
    }
    auto lock = ProjectLock::acquire(run_dir_, config_.project + "." + one_off.service, kLockTry);
    if (!lock && left > 0) {
      continue;
    }
    const auto removed = lock ? engine_.remove(container) : Result<void>{};
    return removed ? std::move(lock) : tl::unexpected(removed.error());
  }
}

Result<void> ComposeRuntime::run_once(const OneOff& one_off) {
  const auto lock = take_once(one_off);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  const auto text = images_.text_with(one_off.image, one_off.image);
  if (!text) {
    return fail(ExitCode::kMigration, text.error());
  }
  const TemporaryFile file(
      fmt::format("{}/compose-{}-{}.once.env", run_dir_, config_.project, ::getpid()));
  if (auto written = replace_file(file.path(), *text, 0600); !written) {
    return fail(ExitCode::kMigration, written.error());
  }
  const auto document = compose_.document_of(one_off.service, file.path());
  if (!document) {
    return tl::unexpected(document.error());
  }
  const auto image = service_image(*document, one_off.service);
  if (!image || *image != one_off.image) {
    return fail(
        ExitCode::kMigration,
        fmt::format("{}: service {}: image is '{}', expected the new one, '{}'", config_.file,
                    one_off.service, image ? *image : image.error(), one_off.image),
        fmt::format("let it say image: ${{{}}}; in this run both variables name the new "
                    "image",
                    config_.image_variables[0]));
  }
  auto ran = compose_.run_once(one_off, file.path(), *lock, [this] { return stop_asked(); });
  const ContainerFacts container = container_of(one_off);
  auto removed = engine_.remove(container);
  return ran ? removed : ran;
}

Result<void> ComposeRuntime::remove_once(const OneOff& one_off) {
  const auto lock = take_once(one_off);
  return lock ? Result<void>{} : tl::unexpected(lock.error());
}

}  // namespace bluegreen
