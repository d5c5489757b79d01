// See prune_images.hpp.
#include "controller/commands/prune_images.hpp"

#include "controller/deploy/releases.hpp"

namespace bluegreen {

void prune_images(DeployProcess& process) {
  DeployPlace& place = process.place;
  const auto note = [&process](StepState state, const std::string& what) {
    process.events->emit({process.clock.wall(), "prune", state, what, {}});
  };
  // Another application may serve, or go back to, the same image; what cannot be read of any of
  // them is a reason to leave all images where they are.
  std::vector<std::string> keep;
  std::vector<std::string> ours;
  std::string kept;
  for (const auto& [name, app] : place.config->apps) {
    auto list = TraceFolders(place.config->trace_dir).list(name);
    if (!list) {
      note(StepState::kFailed, list.error().what);
      return;
    }
    auto now = place.control->read(name);
    if (!now) {
      if (!list->empty() || name == place.app->name) {
        note(StepState::kFailed, now.error().what);
        return;
      }
      continue;  // it was never deployed
    }
    const auto needed = images_to_keep(*list, *now, app.keep_releases);
    keep.insert(keep.end(), needed.begin(), needed.end());
    if (name == place.app->name) {
      ours = images_deployed(*list);
      for (const std::string& image : needed) {
        kept += (kept.empty() ? "kept " : ", ") + image;
      }
    }
  }
  if (auto pruned = process.runtime->prune(keep, ours); !pruned) {
    note(StepState::kFailed, pruned.error().what);
    return;
  }
  note(StepState::kDone, kept);
}

}  // namespace bluegreen
