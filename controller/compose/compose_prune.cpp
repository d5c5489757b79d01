// ComposeRuntime's housekeeping after a good verdict: which images go, and which never do. See
// ports/runtime.hpp for the rule; what somebody else brought here is never touched.
#include <algorithm>
#include <set>

#include "controller/compose/compose_runtime.hpp"

namespace bluegreen {
namespace {

// The names of one image that mean something: an Engine prints "<none>" for what it has not.
std::vector<std::string> names_of(const ImageFacts& image) {
  std::vector<std::string> names;
  for (const auto* each : {&image.tags, &image.digests}) {
    std::copy_if(each->begin(), each->end(), std::back_inserter(names),
                 [](const std::string& name) { return name.find("<none>") == std::string::npos; });
  }
  return names;
}

bool any_in(const std::vector<std::string>& names, const std::set<std::string>& set) {
  return std::any_of(names.begin(), names.end(),
                     [&set](const std::string& name) { return set.contains(name); });
}

bool all_in(const std::vector<std::string>& names, const std::set<std::string>& set) {
  return std::all_of(names.begin(), names.end(),
                     [&set](const std::string& name) { return set.contains(name); });
}

}  // namespace

Result<void> ComposeRuntime::prune(const std::vector<std::string>& keep,
                                   const std::vector<std::string>& ours) {
  const auto lock = ProjectLock::acquire(run_dir_, config_.project, kOthersUp);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto settled = images_.settle(); !settled) {
    return fail(ExitCode::kPreflight, settled.error());
  }
  std::set<std::string> kept(keep.begin(), keep.end());
  for (const Color color : shm::kColors) {
    if (const auto image = images_.image(color); image && *image) {
      kept.insert(**image);
    }
  }
  std::set<std::string> known;
  std::set<std::string> repositories;
  for (const std::string& name : ours) {
    if (const auto reference = parse_image_reference(name)) {
      known.insert(reference->name());
      repositories.insert(reference->repository);
    }
  }
  const auto used = engine_.image_ids_in_use();
  if (!used) {
    return tl::unexpected(used.error());
  }
  for (const std::string& repository : repositories) {
    const auto images = engine_.images_of(repository);
    if (!images) {
      return tl::unexpected(images.error());
    }
    for (const ImageFacts& image : *images) {
      const std::vector<std::string> names = names_of(image);
      if (used->contains(image.id) || any_in(names, kept) || !all_in(names, known)) {
        continue;
      }
      // The list, asked for a repository, leaves out the names that an image has in others.
      if (const auto whole = engine_.image(image.id); !whole || !all_in(names_of(*whole), known)) {
        continue;
      }
      for (const std::string& name : names) {
        if (auto removed = engine_.remove_image(name); !removed) {
          return removed;
        }
      }
    }
  }
  return {};
}

}  // namespace bluegreen
