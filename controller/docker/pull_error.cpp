// A table of marks that engines and registries put into their messages; the first one that is
// found decides. Permanent ones come first: "429 ... denied" must not be tried for ever.
#include "controller/docker/pull_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace bluegreen {
namespace {

struct Mark {
  const char* text;  // lower case
  bool transient;
  std::string_view meaning;
  const char* hint;
};

constexpr const char* kLogin = "check `docker login` for the user that runs bgctl (root under SSM)";
constexpr const char* kTag = "check the tag: it was never pushed, or was deleted";
constexpr const char* kDown = "check that the registry runs and that this host reaches it";
constexpr std::string_view kNoSuch = "the registry has no such image";
constexpr std::string_view kRefuses = "the registry refuses access";
constexpr std::string_view kPlatform = "the image is not built for this machine's platform";
constexpr const char* kBuild = "build it for this platform (docker buildx build --platform)";
constexpr std::string_view kLimit = "the registry limits this host's requests";
constexpr std::string_view kSlow = "the registry does not answer in time";
constexpr std::string_view kBroke = "the connection to the registry broke";
constexpr std::string_view kDamaged = "a layer did not arrive whole";
constexpr std::string_view kTrouble = "the registry has an error";

constexpr std::array kMarks{
    Mark{"no space left", false, "no space is left on this host's disk",
         "free space on the Docker data folder, for instance by `docker image prune`"},
    Mark{"toomanyrequests", true, kLimit, kLogin},
    Mark{"too many requests", true, kLimit, kLogin},
    Mark{"status: 429", true, kLimit, kLogin},
    Mark{"no matching manifest", false, kPlatform, kBuild},
    Mark{"manifest unknown", false, kNoSuch, kTag},
    Mark{"manifest for", false, kNoSuch, kTag},
    Mark{"does not match the specified platform", false, kPlatform, kBuild},
    Mark{"cannot be used on this platform", false, kPlatform, kBuild},
    Mark{"repository does not exist", false, "the registry has no such image, or refuses it",
         kLogin},
    Mark{"denied", false, kRefuses, kLogin},
    Mark{"unauthorized", false, kRefuses, kLogin},
    Mark{"no basic auth", false, kRefuses, kLogin},
    Mark{"authorization failed", false, kRefuses, kLogin},
    Mark{"authorization token has expired", false, kRefuses, kLogin},
    Mark{"403 forbidden", false, kRefuses, kLogin},
    Mark{"connection refused", true, "the registry does not answer", kDown},
    Mark{"no such host", false, "the registry's name is unknown", kDown},
    Mark{"server misbehaving", true, "the name server has an error", kDown},
    Mark{"temporary failure in name resolution", true, "the name server has an error", kDown},
    Mark{"network is unreachable", true, "the registry cannot be reached", kDown},
    Mark{"no route to host", true, "the registry cannot be reached", kDown},
    Mark{"filesystem layer verification failed", true, kDamaged, kDown},
    Mark{"unexpected commit digest", true, kDamaged, kDown},
    Mark{"failed size validation", true, kDamaged, kDown},
    Mark{"timeout", true, kSlow, kDown},
    Mark{"timed out", true, kSlow, kDown},
    Mark{"deadline exceeded", true, kSlow, kDown},
    Mark{"connection reset", true, kBroke, kDown},
    Mark{"broken pipe", true, kBroke, kDown},
    Mark{"use of closed network connection", true, kBroke, kDown},
    Mark{"eof", true, kBroke, kDown},
    Mark{"context canceled", true, "the Engine was stopped", "see that it runs"},
    Mark{"500 internal", true, kTrouble, kDown},
    Mark{"internal server error", true, kTrouble, kDown},
    Mark{"bad gateway", true, kTrouble, kDown},
    Mark{"service unavailable", true, kTrouble, kDown},
    Mark{"gateway time", true, kTrouble, kDown},
    // A number alone may be a port or part of a digest.
    Mark{"status: 5", true, kTrouble, kDown},
    Mark{"status code 5", true, kTrouble, kDown},
    // Late: "blob ... not found" may stand beside a reason above.
    Mark{"not found", false, kNoSuch, kTag},
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
    return {false, false, fmt::format("pull {}: {}", image, message), {}};
  }
  return {found->transient, found->meaning == kRefuses,
          fmt::format("pull {} from {}: {} ({})", image, registry, found->meaning, message),
          found->hint};
}

}  // namespace bluegreen
