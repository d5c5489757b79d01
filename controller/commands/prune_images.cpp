// See prune_images.hpp.
#include "controller/commands/prune_images.hpp"

#include "controller/deploy/releases.hpp"

namespace bluegreen {

void prune_images(DeployProcess& process) {
  DeployPlace& place = process.place;
  const auto note = [&process](StepState state, const std::string& what) {
    process.events->emit({process.clock.wall(), "prune", state, what, {}});
  };
  auto now = place.control->read(place.app->name);
  auto list = TraceFolders(place.config->trace_dir).list(place.app->name);
  if (!now || !list) {
    note(StepState::kFailed, now ? list.error().what : now.error().what);
    return;
  }
  const auto keep = images_to_keep(*list, *now, place.app->keep_releases);
  if (auto pruned = process.runtime->prune(keep); !pruned) {
    note(StepState::kFailed, pruned.error().what);
    return;
  }
  std::string kept;
  for (const std::string& image : keep) {
    kept += (kept.empty() ? "kept " : ", ") + image;
  }
  note(StepState::kDone, kept);
}

}  // namespace bluegreen
