// ControlFile's beginning: opening with a reason when that fails, and making a new region.
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <random>
#include <system_error>
#include <vector>

#include "controller/output/printable.hpp"
#include "controller/regions/control_file.hpp"

namespace bluegreen {
namespace {

std::uint64_t random_id() {
  std::random_device source;
  for (;;) {
    const std::uint64_t id = (std::uint64_t{source()} << 32U) | source();
    if (id != 0) {
      return id;
    }
  }
}

std::string hint_for(const shm::OpenError& error) {
  switch (error.result) {
    case shm::OpenResult::kAbsent:
      return "make it with `bgctl init`";
    case shm::OpenResult::kNoAccess:
      return "run bgctl as root";
    default:
      return "see which file it is with shm_dump; to begin anew, move it away and run `bgctl init`";
  }
}

std::string describe(const std::string& path, const shm::OpenError& error) {
  std::array<char, 256> text{};
  return path + ": " + shm::describe(error, shm::kControlKind, text.data(), text.size());
}

// Makes each missing folder on the way to `path`.
Result<void> make_folder_of(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
      return fail(ExitCode::kUsage, folder + ": the folder of the control file cannot be made: " +
                                        std::generic_category().message(errno));
    }
  }
  return {};
}

}  // namespace

std::unique_ptr<ControlFile> ControlFile::open(const std::string& path, ControlAccess access,
                                               const std::string& run_dir, ControlState& state) {
  auto file = std::unique_ptr<ControlFile>(new ControlFile);
  const bool change = access == ControlAccess::kChange;
  const shm::OpenError error =
      shm::open_region(path.c_str(), change ? O_RDWR : O_RDONLY, shm::kControlKind, file->fd_);
  state.result = error.result;
  if (error.result != shm::OpenResult::kOk) {
    state.error = describe(path, error);
    state.hint = hint_for(error);
    return nullptr;
  }
  const int protection = change ? PROT_READ | PROT_WRITE : PROT_READ;
  if (!file->mapping_.map(file->fd_.get(), sizeof(shm::ControlRegion), protection)) {
    state.result = shm::OpenResult::kIoError;
    state.error = path + ": cannot be mapped: " + std::generic_category().message(errno);
    return nullptr;
  }
  file->path_ = path;
  file->run_dir_ = run_dir;
  return file;
}

Result<std::unique_ptr<ControlFile>> ControlFile::open(const std::string& path,
                                                       ControlAccess access,
                                                       const std::string& run_dir) {
  ControlState state;
  if (auto file = open(path, access, run_dir, state)) {
    return file;
  }
  return fail(ExitCode::kUsage, state.error, state.hint);
}

Result<bool> ControlFile::create(const std::string& path, const std::vector<std::string>& apps) {
  if (auto made = make_folder_of(path); !made) {
    return tl::unexpected(made.error());
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  // Zeroes are the free records; make_unique of the region itself would not promise them.
  std::vector<std::uint64_t> image(sizeof(shm::ControlRegion) / sizeof(std::uint64_t));
  auto& region = *reinterpret_cast<shm::ControlRegion*>(image.data());
  region.header =
      shm::make_header(shm::kControlKind, random_id(), static_cast<std::uint64_t>(now_ns));
  // Every free record has valid empty tables from the start: adding an application later changes
  // one page only, so a power loss leaves it there in full or not at all.
  const shm::EndpointTable empty = shm::unpublished_table();
  for (auto& record : region.apps) {
    for (auto& color : record.tables) {
      shm::store_table(empty, color[0]);
      shm::store_table(empty, color[1]);
    }
  }
  for (const std::string& app : apps) {
    if (shm::add_app(region, app) == shm::kMaxApps) {
      return fail(ExitCode::kUsage, "\"" + printable(app) +
                                        "\" is no application name: expected 1 to 63 letters, " +
                                        "digits, '-', '_' or '.', not beginning with '-' or '.'");
    }
  }
  const int error = shm::create_region_file(path.c_str(), image.data(), sizeof(shm::ControlRegion),
                                            shm::RegionOwner{});
  if (error == EEXIST) {
    return false;
  }
  if (error != 0) {
    return fail(ExitCode::kUsage, path + ": the control file cannot be made: " +
                                      std::generic_category().message(error));
  }
  return true;
}

}  // namespace bluegreen
