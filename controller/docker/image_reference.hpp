// A container image's name taken apart: registry, repository, tag, digest. Pure.
//
// Called by the Engine client (what to pull), the credentials (which registry) and prune (which
// repository). A text that is no reference is an error that says what was found.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace bluegreen {

struct ImageReference {
  std::string registry;    // "docker.io" when the name has none
  std::string repository;  // as Docker prints it: "nginx", "team/app", "localhost:5000/app"
  std::string tag;         // "latest" when there is neither tag nor digest
  std::string digest;      // "sha256:..." or empty; then the tag does not count

  // Written out as Docker prints it, with its digest or, without one, its tag.
  [[nodiscard]] std::string name() const {
    return digest.empty() ? repository + ":" + tag : with_digest(digest);
  }
  // Whether the name may mean another image tomorrow by everybody's habit: `latest`, or no tag.
  [[nodiscard]] bool floats() const { return digest.empty() && tag == "latest"; }

  // The name that means this image for ever.
  [[nodiscard]] std::string with_digest(const std::string& found) const {
    return repository + "@" + found;
  }
};

tl::expected<ImageReference, std::string> parse_image_reference(const std::string& text);

}  // namespace bluegreen
