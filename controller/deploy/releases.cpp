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

void add(std::vector<std::string>& images, const std::string& image) {
  if (!image.empty() && std::find(images.begin(), images.end(), image) == images.end()) {
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
