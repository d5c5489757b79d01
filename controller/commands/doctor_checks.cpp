// See doctor_checks.hpp.
#include "controller/commands/doctor_checks.hpp"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "controller/commands/make_runtime.hpp"
#include "controller/host/lock.hpp"
#include "controller/regions/control_file.hpp"
#include "controller/regions/telemetry_file.hpp"

namespace bluegreen {
namespace {

// The control file decides where traffic goes: only its owner may write it, and NGINX's workers,
// who run as somebody else, must be able to read it.
Check permissions(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return {"control permissions", CheckState::kFail, path + ": cannot be looked at", {}};
  }
  std::array<char, 16> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777U));
  const std::string found =
      path + ": mode " + mode.data() + ", owner " + std::to_string(status.st_uid);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return {"control permissions", CheckState::kFail,
            found + ", others may write it: expected mode 0644", "chmod 0644 " + path};
  }
  if ((status.st_mode & S_IROTH) == 0) {
    return {"control permissions", CheckState::kWarn,
            found + ", NGINX's workers may not read it: expected mode 0644", "chmod 0644 " + path};
  }
  return {"control permissions", CheckState::kOk, found, {}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void check_config(CommandContext& context, Checks& checks) {
  const GlobalOptions& global = context.global();
  if (!global.control.empty() && !global.config_given) {
    checks.push_back({"configuration", CheckState::kOk, "none, --control is given", {}});
    return;
  }
  const auto config = context.config();
  checks.push_back(
      config
          ? Check{"configuration",
                  CheckState::kOk,
                  global.config + ": " + std::to_string((*config)->apps.size()) + " application(s)",
                  {}}
          : Check{"configuration", CheckState::kFail, config.error().what, config.error().hint});
}

void check_control(const Target& target, const std::vector<std::string>& apps, Checks& checks) {
  ControlState state;
  const auto control =
      ControlFile::open(target.control, ControlAccess::kRead, target.run_dir, state);
  if (!control) {
    checks.push_back({"control", CheckState::kFail, state.error, state.hint});
    return;
  }
  const std::vector<std::string> known = control->apps();
  checks.push_back(
      {"control", CheckState::kOk, target.control + ": applications " + joined(known), {}});
  for (const std::string& damage : control->damage()) {
    checks.push_back({"control", CheckState::kFail, damage,
                      "bring the file back from a backup, or move it away and run `bgctl init`"});
  }
  for (const std::string& app : apps) {
    if (std::find(known.begin(), known.end(), app) == known.end()) {
      checks.push_back({"control", CheckState::kFail,
                        target.control + ": there is no application \"" + app + "\"",
                        "add it with `bgctl init`"});
    }
  }
  checks.push_back(permissions(target.control));
}

void check_telemetry(const Target& target, Checks& checks) {
  if (target.telemetry.empty()) {
    checks.push_back(
        {"telemetry", CheckState::kWarn, "not named", "give --telemetry to see NGINX's workers"});
    return;
  }
  ControlState ignored;
  const auto control =
      ControlFile::open(target.control, ControlAccess::kRead, target.run_dir, ignored);
  const TelemetryState state = TelemetryFile(target.telemetry).state(control ? control->id() : 0);
  const std::string workers = target.telemetry + ": " + std::to_string(state.live_workers) +
                              " NGINX workers, " + std::to_string(state.attached_workers) +
                              " attached to this control file";
  if (state.result != shm::OpenResult::kOk) {
    checks.push_back({"telemetry", CheckState::kFail, state.error,
                      "start NGINX with the module and `bluegreen_telemetry " + target.telemetry +
                          "`; without it no drain can be proven"});
  } else if (state.live_workers == 0 || state.attached_workers != state.live_workers) {
    checks.push_back({"telemetry", CheckState::kFail, workers,
                      "see that NGINX runs and that its `bluegreen_control` is " + target.control +
                          " (containers mount its folder, never the file)"});
  } else if (state.slotless != 0) {
    checks.push_back({"telemetry", CheckState::kWarn,
                      workers + ", " + std::to_string(state.slotless) + " without a slot",
                      "drains cannot be proven while more than " + std::to_string(shm::kMaxSlots) +
                          " workers live"});
  } else {
    checks.push_back({"telemetry", CheckState::kOk, workers, {}});
  }
}

void check_locks(const Target& target, Checks& checks) {
  struct stat status {};
  if (::stat(target.run_dir.c_str(), &status) != 0) {
    // Made by the first command that changes something; only its parent matters now.
    const std::string parent = target.run_dir.substr(0, target.run_dir.rfind('/'));
    const bool writable = ::access(parent.empty() ? "/" : parent.c_str(), W_OK) == 0;
    checks.push_back({"locks", writable ? CheckState::kOk : CheckState::kFail,
                      target.run_dir + (writable ? ": is made when needed" : ": cannot be made"),
                      "run bgctl as root, or set BGCTL_RUN_DIR"});
    return;
  }
  const bool usable = S_ISDIR(status.st_mode) && ::access(target.run_dir.c_str(), W_OK | X_OK) == 0;
  checks.push_back({"locks", usable ? CheckState::kOk : CheckState::kFail,
                    target.run_dir + (usable ? ": usable" : ": is no folder that can be written"),
                    "run bgctl as root, or set BGCTL_RUN_DIR"});
  ControlState ignored;
  const auto control =
      ControlFile::open(target.control, ControlAccess::kRead, target.run_dir, ignored);
  for (const std::string& app : control ? control->apps() : std::vector<std::string>{}) {
    const std::string name = app_lock_name(control->id(), app);
    if (is_locked(target.run_dir, name)) {
      const auto holder = lock_holder(target.run_dir, name);
      checks.push_back({"locks", CheckState::kWarn,
                        "application " + app + " is held by " +
                            (holder ? "bgctl " + holder->command + ", process " +
                                          std::to_string(holder->pid) + ", since " + holder->since
                                    : "another process"),
                        "it is freed by itself when its holder ends"});
    }
  }
}

void check_libcurl(Checks& checks) {
  void* library = ::dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    checks.push_back({"libcurl", CheckState::kFail, reason ? reason : "libcurl.so.4: not found",
                      "install it: apt-get install libcurl4, or dnf install libcurl"});
    return;
  }
  ::dlclose(library);
  checks.push_back({"libcurl", CheckState::kOk, "libcurl.so.4 can be loaded", {}});
}

namespace {

// What a deploy would check before it begins, on the color that it would go to.
Check preflight(const Config& config, const AppConfig& app) {
  Color idle = Color::kGreen;
  ControlState ignored;
  const auto control =
      ControlFile::open(config.control, ControlAccess::kRead, config.run_dir, ignored);
  if (control) {
    if (const auto now = control->read(app.name)) {
      idle = shm::other(now->route.active);
    }
  }
  const bool compose = std::holds_alternative<ComposeConfig>(app.runtime);
  const std::string name = std::string(compose ? "compose" : "process") + " runtime";
  const auto runtime = make_runtime(config, app);
  const auto ready = runtime ? (*runtime)->preflight(idle) : tl::unexpected(runtime.error());
  const std::string subject = "application " + app.name + ": ";
  return ready ? Check{name, CheckState::kOk, subject + "ready to deploy", {}}
               : Check{name, CheckState::kFail, subject + ready.error().what, ready.error().hint};
}

}  // namespace

void check_runtimes(CommandContext& context, Checks& checks) {
  const GlobalOptions& global = context.global();
  if (!global.control.empty() && !global.config_given) {
    return;
  }
  const auto config = context.config();
  if (!config) {
    return;
  }
  for (const auto& [name, app] : (*config)->apps) {
    if (global.app.empty() || global.app == name) {
      checks.push_back(preflight(**config, app));
      if (const auto smoke = make_smoke(app)) {
        const auto ready = smoke->ready();
        checks.push_back(
            ready ? Check{"smoke checks",
                          CheckState::kOk,
                          "application " + name + ": " + app.smoke->secret_file + " has a secret",
                          {}}
                  : Check{"smoke checks", CheckState::kFail,
                          "application " + name + ": " + ready.error().what, ready.error().hint});
      }
    }
  }
}

}  // namespace bluegreen
