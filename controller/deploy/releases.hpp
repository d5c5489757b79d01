// What the traces of earlier deploys know about releases: which one served before the present one,
// and whose images a later rollback may still need.
//
// Pure functions over TraceStore::list (newest first) and the region; nothing here fails.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/deploy/plan.hpp"
#include "controller/ports/trace.hpp"

namespace bluegreen {

// The last release that was put in service and is not what serves now; empty when there is none.
Labels release_before(const std::vector<TraceSummary>& newest_first, const std::string& serving);

// The images, by their pinned names, that a prune must leave: of the last `releases` releases that
// were put in service, and always of what serves and of what a rollback would put back.
std::vector<std::string> images_to_keep(const std::vector<TraceSummary>& newest_first,
                                        const shm::AppSnapshot& now, std::uint32_t releases);

// The ids of deploys whose traces may go: all but the newest `traces`. Left beside these: what runs
// or was interrupted, what images_to_keep reads, what either color is labelled with, and the newest
// one of each other command than deploy and rollback (a contract bars the way back).
std::vector<std::string> traces_to_drop(const std::vector<TraceSummary>& newest_first,
                                        const shm::AppSnapshot& now, std::uint32_t releases,
                                        std::uint32_t traces);

// Every name of an image that these deploys asked for or pinned, also where they failed.
std::vector<std::string> images_deployed(const std::vector<TraceSummary>& list);

}  // namespace bluegreen
