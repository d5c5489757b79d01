// See releases.hpp.
#include "controller/deploy/releases.hpp"

#include <algorithm>

namespace bluegreen {

namespace {

bool was_served(const TraceSummary& summary) {
  return summary.verdict && !summary.verdict->image.empty() &&
         (summary.verdict->code == ExitCode::kDone ||
          summary.verdict->code == ExitCode::kDrainForced);
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void add(std::vector<std::string>& images, const std::string& image) {
  if (!image.empty() && !contains(images, image)) {
    images.push_back(image);
  }
}

}  // namespace

Labels release_before(const std::vector<TraceSummary>& newest_first, const std::string& serving) {
  for (const TraceSummary& summary : newest_first) {
    if (was_served(summary) && summary.verdict->image != serving) {
      return {summary.verdict->release, summary.verdict->image, summary.id};
    }
  }
  return {};
}

std::vector<std::string> images_to_keep(const std::vector<TraceSummary>& newest_first,
                                        const shm::AppSnapshot& now, std::uint32_t releases) {
  std::vector<std::string> images;
  for (const TraceSummary& summary : newest_first) {
    if (images.size() >= releases) {
      break;
    }
    if (was_served(summary)) {
      add(images, summary.verdict->image);
    }
  }
  const std::string serving = labels_of(now.tables[shm::index_of(now.route.active)]).image;
  add(images, serving);
  add(images, labels_of(now.tables[shm::index_of(shm::other(now.route.active))]).image);
  add(images, release_before(newest_first, serving).image);
  return images;
}

std::vector<std::string> traces_to_drop(const std::vector<TraceSummary>& newest_first,
                                        const shm::AppSnapshot& now, std::uint32_t releases,
                                        std::uint32_t traces) {
  const std::vector<std::string> images = images_to_keep(newest_first, now, releases);
  std::vector<std::string> seen_images;
  std::vector<std::string> seen_commands = {"deploy", "rollback"};
  std::vector<std::string> drop;
  std::size_t place = 0;
  for (const TraceSummary& summary : newest_first) {
    bool needed = place++ < traces || !summary.verdict ||
                  summary.verdict->code == ExitCode::kInterrupted ||
                  summary.verdict->code == ExitCode::kRollbackFailed;
    for (const shm::EndpointTable& table : now.tables) {
      needed = needed || labels_of(table).deploy_id == summary.id;
    }
    // The newest trace of an image tells the release's name; older ones of it tell nothing new.
    if (was_served(summary) && contains(images, summary.verdict->image) &&
        !contains(seen_images, summary.verdict->image)) {
      seen_images.push_back(summary.verdict->image);
      needed = true;
    }
    if (!contains(seen_commands, summary.command)) {
      seen_commands.push_back(summary.command);
      needed = true;
    }
    if (!needed) {
      drop.push_back(summary.id);
    }
  }
  return drop;
}

std::vector<std::string> images_deployed(const std::vector<TraceSummary>& list) {
  std::vector<std::string> images;
  for (const TraceSummary& summary : list) {
    add(images, summary.image);
    if (summary.verdict) {
      add(images, summary.verdict->image);
    }
  }
  return images;
}

}  // namespace bluegreen
