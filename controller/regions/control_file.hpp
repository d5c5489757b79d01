// ControlPort over the real file: what bgctl changes and NGINX obeys (shm/control_region.hpp).
//
// Maps the file, shared and writable for a change, read-only for a look. Each change takes the
// region's writer lock (host/lock.hpp), reads what counts now, stores, flushes exactly the pages
// that it touched, and returns when that is durable. What is missing, foreign or damaged is
// refused (kUsage) with the file, what was expected and what was found; nothing is repaired.
//
// One thread at a time. The file must not shrink while it is mapped: nobody but root may write it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/ports/regions.hpp"
#include "shm/region_file.hpp"

namespace bluegreen {

enum class ControlAccess { kRead, kChange };

// Whether a control file can be used, for status and doctor: `error` is empty when it can.
struct ControlState {
  shm::OpenResult result = shm::OpenResult::kOk;
  std::string error;
  std::string hint;
};

class ControlFile : public ControlPort {
 public:
  // `run_dir` is where the writer lock lies.
  static Result<std::unique_ptr<ControlFile>> open(const std::string& path, ControlAccess access,
                                                   const std::string& run_dir);
  // The same without an Error, so that missing can be told from damaged.
  static std::unique_ptr<ControlFile> open(const std::string& path, ControlAccess access,
                                           const std::string& run_dir, ControlState& state);

  // Makes a region with these applications, whole or not at all. False when one is there already.
  static Result<bool> create(const std::string& path, const std::vector<std::string>& apps);

  std::uint64_t id() const { return region().header.id; }
  const std::string& path() const { return path_; }
  std::vector<std::string> apps() const;
  // One sentence for each application's record that is damaged, with what was expected and found.
  std::vector<std::string> damage() const;

  // Adds an application, durable; false when it is there already, which is left as it is.
  Result<bool> add_app(const std::string& app);

  Result<shm::AppSnapshot> read(const std::string& app) override;
  Result<std::uint64_t> publish(const std::string& app, Color color,
                                const Publication& publication) override;
  Result<std::uint64_t> change(const std::string& app, const std::string& what,
                               const RouteEdit& edit) override;
  Result<shm::HoldTicket> ticket(std::chrono::milliseconds length) override;
  std::chrono::nanoseconds left_of(const shm::HoldTicket& ticket) override;

 private:
  ControlFile() = default;

  const shm::ControlRegion& region() const {
    return *static_cast<const shm::ControlRegion*>(mapping_.data());
  }
  shm::ControlRegion& region() { return *static_cast<shm::ControlRegion*>(mapping_.data()); }
  Result<std::uint32_t> index_of_app(const std::string& app) const;
  Result<shm::AppSnapshot> read_at(const std::string& app, std::uint32_t index) const;
  Result<void> still_in_place() const;
  Result<void> flush(const void* from, std::size_t size);
  // Under the writer lock: hands the present state to `change`, which says what it becomes (the
  // same: nothing to do), then stores and flushes it. The generation afterwards.
  template <class Change>
  Result<std::uint64_t> change_route(const std::string& app, Change change);
  // Puts the ticket where the next generation's word looks for it, durable.
  Result<void> prepare_ticket(shm::HoldTicket& place, const shm::HoldTicket& ticket);

  std::string path_;
  std::string run_dir_;
  shm::UniqueFd fd_;
  shm::Mapping mapping_;
};

}  // namespace bluegreen
