// A table of marks that engines and registries put into their messages; the first one that is
// found decides. Permanent ones come first: "429 ... denied" must not be tried for ever.
#include "controller/docker/pull_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace bluegreen {
namespace {

struct Mark {
  const char* text;  // lower case
  bool transient;
  const char* meaning;
  const char* hint;
};

constexpr const char* kLogin = "check `docker login` for the user that runs bgctl (root under SSM)";
constexpr const char* kTag = "check the tag: it was never pushed, or was deleted";
constexpr const char* kDown = "check that the registry runs and that this host reaches it";

constexpr std::array kMarks{
    Mark{"no space left", false, "no space is left on this host's disk",
         "free space on the Docker data folder, for instance by `docker image prune`"},
    Mark{"toomanyrequests", true, "the registry limits this host's requests", kLogin},
    Mark{"too many requests", true, "the registry limits this host's requests", kLogin},
    Mark{"manifest unknown", false, "the registry has no such image", kTag},
    Mark{"manifest for", false, "the registry has no such image", kTag},
    Mark{"not found", false, "the registry has no such image", kTag},
    Mark{"repository does not exist", false, "the registry has no such image, or refuses it",
         kLogin},
    Mark{"denied", false, "the registry refuses access", kLogin},
    Mark{"unauthorized", false, "the registry refuses access", kLogin},
    Mark{"no basic auth", false, "the registry refuses access", kLogin},
    Mark{"no matching manifest", false, "the image is not built for this machine's architecture",
         "build it for this platform"},
    Mark{"connection refused", true, "the registry does not answer", kDown},
    Mark{"no such host", false, "the registry's name is unknown", kDown},
    Mark{"timeout", true, "the registry does not answer in time", kDown},
    Mark{"deadline exceeded", true, "the registry does not answer in time", kDown},
    Mark{"connection reset", true, "the connection to the registry broke", kDown},
    Mark{"eof", true, "the connection to the registry broke", kDown},
    Mark{"500 internal", true, "the registry has an error", kDown},
    Mark{"502", true, "the registry has an error", kDown},
    Mark{"503", true, "the registry has an error", kDown},
};

}  // namespace

PullFailure explain_pull_failure(const std::string& image, const std::string& registry,
                                 const std::string& message) {
  std::string lower(message);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* found = std::find_if(kMarks.begin(), kMarks.end(), [&lower](const Mark& mark) {
    return lower.find(mark.text) != std::string::npos;
  });
  if (found == kMarks.end()) {
    return {false, fmt::format("pull {}: {}", image, message), {}};
  }
  return {found->transient,
          fmt::format("pull {} from {}: {} ({})", image, registry, found->meaning, message),
          found->hint};
}

}  // namespace bluegreen
