// The trace folder of a deploy, on disk: <trace_dir>/<app>/<id>/ with
//
//   request       what was asked for, by whom, when (JSON); written first, by the foreground
//   runner        locked (open file description lock on byte 0) as long as the deploy process lives
//   events.ndjson what happened, for whoever follows
//   log           the same for people, with timestamps, and whatever the process printed
//   journal       see journal.hpp
//   blue.log, green.log  a container's log, when it failed
//   verdict.json  the end: atomic and durable; the verdict of output/verdict.hpp and its times
//   reserve       space for the verdict, so that a disk that fills up cannot hide the end
//
// and <trace_dir>/last_image, the marker of the last image that was put in service, and
// <trace_dir>/<app>/.contract, see contract_mark.hpp.
//
// One process at a time writes a folder; anybody may read. Errors are kPreflight and name the file:
// a deploy that cannot be written down does not begin.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "controller/host/journal.hpp"
#include "controller/output/event.hpp"
#include "controller/ports/trace.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {

// What the foreground hands to the detached process.
struct DeployRequest {
  std::string command;  // deploy, rollback, contract
  std::string image;    // of a deploy only
  std::string by;       // who asked, as far as is known
  std::string from;     // where: the address of a pipeline's run, or empty
  std::chrono::system_clock::time_point at;
  std::string pause_before = {};  // the step that `bgctl promote` has to come before; empty: none
  std::chrono::milliseconds pause_for{0};
};

std::string trace_folder(const std::string& trace_dir, const std::string& app,
                         const std::string& id);

// Makes the folder, durable, with the request and the reserve. One that is there is taken over.
Result<void> make_trace(const std::string& folder, const DeployRequest& request);
Result<std::optional<DeployRequest>> read_request(const std::string& folder);

// Empty: there is none yet, or it is being tried again.
Result<std::optional<Verdict>> read_verdict(const std::string& folder);
// Before a second attempt with the same id.
Result<void> discard_verdict(const std::string& folder);

// Held by the deploy process for its life.
Result<shm::UniqueFd> lock_runner(const std::string& folder);
// Whether somebody holds it now; takes nothing.
bool runner_is_alive(const std::string& folder);

class TraceFolder : public TracePort {
 public:
  static Result<std::unique_ptr<TraceFolder>> open(const std::string& trace_dir,
                                                   const std::string& app, const std::string& id);

  Result<void> append(const JournalRecord& record) override;
  Result<std::vector<JournalRecord>> records() override;
  Result<void> write_verdict(const Verdict& verdict) override;
  Result<void> mark_last_image(const std::string& image) override;
  Result<void> mark_contract(const ContractMark& mark) override;
  void keep_log(const std::string& name, const std::string& text) override;
  std::string folder() const override { return folder_; }

 private:
  TraceFolder() = default;

  std::string trace_dir_;
  std::string folder_;
  std::optional<Journal> journal_;  // opened by the first append
};

class TraceFolders : public TraceStore {
 public:
  explicit TraceFolders(std::string trace_dir) : trace_dir_(std::move(trace_dir)) {}

  Result<std::vector<TraceSummary>> list(const std::string& app) override;
  Result<std::unique_ptr<TracePort>> open(const std::string& app, const std::string& id) override;
  // The ids of deploys that had begun and whose process is dead, without a verdict. Quick: looks at
  // names of files, and reads none.
  std::vector<std::string> interrupted(const std::string& app) const;
  // Of a deploy that is over. What is half gone when this is killed is no deploy any more.
  Result<void> remove(const std::string& app, const std::string& id);
  Result<std::optional<ContractMark>> contract_mark(const std::string& app) override;

 private:
  std::string trace_dir_;
};

// events.ndjson and log of a folder. Never fails a deploy: what cannot be written is lost.
std::unique_ptr<EventSink> trace_events(const std::string& folder);

}  // namespace bluegreen
