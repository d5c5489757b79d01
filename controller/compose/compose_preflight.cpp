// ComposeRuntime's checks before anything is changed: from "is there an Engine" to "would a reboot
// come back on the right color". Each answers with one sentence about the file or service at fault.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "controller/compose/compose_document.hpp"
#include "controller/compose/compose_runtime.hpp"
#include "controller/compose/temporary_file.hpp"
#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

constexpr int kComposeMajor = 2;
constexpr int kComposeMinor = 20;
// Where the images of an Engine with containerd's store are, unless it runs a containerd of its own
// below its data folder.
constexpr const char* kContainerdData = "/var/lib/containerd";

// Compose must come out with the words that we put into the variables; they name no real image.
const ProbeImages kProbes{{"bgctl-preflight/blue:probe", "bgctl-preflight/green:probe"}};

}  // namespace

Result<void> ComposeRuntime::preflight(Color /*idle*/) {
  const auto facts = engine_.facts();
  if (!facts) {
    return tl::unexpected(facts.error());
  }
  const auto version = compose_.version();
  if (!version) {
    return tl::unexpected(version.error());
  }
  if (!compose_version_is_at_least(*version, kComposeMajor, kComposeMinor)) {
    return fail(ExitCode::kPreflight,
                fmt::format("Docker Compose is {}, expected {}.{} or newer", *version,
                            kComposeMajor, kComposeMinor),
                "update Docker's compose plugin");
  }
  if (auto checked = check_disk(facts->data_folder, "Docker's data"); !checked) {
    return checked;
  }
  if (facts->containerd_store) {
    if (auto checked = check_disk(kContainerdData, "containerd's images"); !checked) {
      return checked;
    }
  }
  if (auto checked = check_env_file(); !checked) {
    return checked;
  }
  return check_compose_file();
}

Result<void> ComposeRuntime::check_disk(const std::string& folder, const char* what) const {
  struct statvfs status {};
  // An Engine on another host has its folder there.
  if (!engine_.host().starts_with("unix://") || folder.empty() ||
      ::statvfs(folder.c_str(), &status) != 0) {
    return {};
  }
  const std::uint64_t free_mb = status.f_bavail * status.f_frsize / 1'000'000;
  if (free_mb < config_.min_free_mb) {
    return fail(ExitCode::kPreflight,
                fmt::format("{} ({}) has {} MB free, expected {} MB or more", folder, what, free_mb,
                            config_.min_free_mb),
                "free space, for instance by `docker image prune`, or lower compose.min_free_mb");
  }
  return {};
}

Result<void> ComposeRuntime::check_env_file() const {
  const std::string& path = images_.path();
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  // It is replaced by rename, so the folder must be writable; a file that is not, is so on purpose.
  if (::access(folder.c_str(), W_OK) != 0) {
    return fail(ExitCode::kPreflight, fmt::format("compose.env_file {}: its folder cannot be "
                                                  "written: {}",
                                                  path, std::strerror(errno)));
  }
  if (::access(path.c_str(), W_OK) != 0 && errno != ENOENT) {
    return fail(ExitCode::kPreflight,
                fmt::format("compose.env_file {}: {}", path, std::strerror(errno)));
  }
  return {};
}

Result<void> ComposeRuntime::check_compose_file() {
  if (::access(config_.file.c_str(), R_OK) != 0) {
    return fail(ExitCode::kPreflight,
                fmt::format("compose.file {}: {}", config_.file, std::strerror(errno)));
  }
  if (auto made = make_folder(run_dir_); !made) {
    return fail(ExitCode::kPreflight, made.error());
  }
  const auto text = images_.text_with(kProbes.words[0], kProbes.words[1]);
  if (!text) {
    return fail(ExitCode::kPreflight, text.error());
  }
  const TemporaryFile probe(
      fmt::format("{}/compose-{}-{}.env", run_dir_, config_.project, ::getpid()));
  if (auto written = replace_file(probe.path(), *text, 0600); !written) {
    return fail(ExitCode::kPreflight, written.error());
  }
  const auto document = compose_.document(probe.path());
  if (!document) {
    return tl::unexpected(document.error());
  }
  if (auto checked = check_services(*document, config_, kProbes); !checked) {
    return fail(ExitCode::kPreflight, checked.error());
  }
  return {};
}

Result<void> ComposeRuntime::check_image(Color color, const PinnedImage& image) const {
  const auto document = compose_.document(images_.path());
  if (!document) {
    return tl::unexpected(document.error());
  }
  const std::string& service = config_.services[index_of(color)];
  const auto found = service_image(*document, service);
  if (!found || *found != image.pinned) {
    return fail(ExitCode::kPreflight,
                fmt::format("{}: service {}: image is '{}', expected '{}' from {}", config_.file,
                            service, found ? *found : found.error(), image.pinned, images_.path()));
  }
  return {};
}

}  // namespace bluegreen
