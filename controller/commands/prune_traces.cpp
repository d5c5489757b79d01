// See prune_traces.hpp.
#include "controller/commands/prune_traces.hpp"

#include "controller/deploy/releases.hpp"

namespace bluegreen {

void prune_traces(DeployProcess& process) {
  DeployPlace& place = process.place;
  const auto note = [&process](StepState state, const std::string& what) {
    process.events->emit({process.clock.wall(), "traces", state, what, {}});
  };
  TraceFolders traces(place.config->trace_dir);
  const auto now = place.control->read(place.app->name);
  const auto list = traces.list(place.app->name);
  if (!now || !list) {
    return note(StepState::kFailed, now ? list.error().what : now.error().what);
  }
  std::size_t gone = 0;
  for (const std::string& id :
       traces_to_drop(*list, *now, place.app->keep_releases, place.app->keep_traces)) {
    if (id == process.id) {
      continue;
    }
    if (auto removed = traces.remove(place.app->name, id); !removed) {
      return note(StepState::kFailed, removed.error().what);
    }
    ++gone;
  }
  if (gone != 0) {
    note(StepState::kDone, "removed " + std::to_string(gone) + " older than the last " +
                               std::to_string(place.app->keep_traces));
  }
}

}  // namespace bluegreen
