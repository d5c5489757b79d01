// What a deploy leaves on disk: its journal, its verdict, logs, the marker of the last image.
//
// TracePort is one deploy's folder, TraceStore all of an application's. What is acted upon (an
// intent, an undo, the verdict) is durable when `append` has returned, with all before it; other
// records are by the next of these. What follows a torn record does not exist.
// Implementations: controller/host/trace (files), controller/ports/fake_world (tests).
// One thread; errors are kPreflight: nothing may be moved when it cannot be written down first.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/output/event.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

enum class RecordKind : std::uint8_t {
  kBegin,    // data: the plan
  kIntent,   // `step` is about to act
  kDone,     // `step` has acted; data: what later steps and a recovery need to know
  kFailed,   // `step` has failed; data: why
  kUndo,     // `step` is about to be undone
  kUndone,   // it was
  kVerdict,  // data: the verdict, so that verdict.json can be written again
};

using Facts = std::map<std::string, std::string>;

struct JournalRecord {
  RecordKind kind = RecordKind::kBegin;
  std::string step;  // empty for kBegin and kVerdict
  Facts data;
};

// What `bgctl contract` leaves for good: releases that were in service before it cannot be gone
// back to, see deploy/contract.hpp.
struct ContractMark {
  std::chrono::system_clock::time_point at;
  std::string deploy_id;  // of the contract
  std::string release;    // what served
  std::string image;
  std::string old_image;  // what was behind it, by the control region
  std::string old_deploy_id;
  bool done = false;  // its command has ended well
};

class TracePort {
 public:
  virtual ~TracePort() = default;

  virtual Result<void> append(const JournalRecord& record) = 0;
  virtual Result<std::vector<JournalRecord>> records() = 0;

  // Atomic and durable; whoever follows the deploy ends with it.
  virtual Result<void> write_verdict(const Verdict& verdict) = 0;
  virtual Result<void> mark_last_image(const std::string& image) = 0;
  virtual Result<void> mark_contract(const ContractMark& mark) = 0;
  // A log of something else (a container) beside our own. Best effort.
  virtual void keep_log(const std::string& name, const std::string& text) = 0;
  virtual std::string folder() const = 0;
};

// One deploy as history shows it.
struct TraceSummary {
  std::string id;
  std::chrono::system_clock::time_point started;
  std::chrono::milliseconds took{0};
  std::string command;  // deploy, rollback, contract
  std::string image;    // as asked for; empty for a rollback
  std::string by;       // who asked, and from where, as far as is known
  std::string from;
  std::optional<Verdict> verdict;  // empty: running, or its process died
  bool alive = false;              // without a verdict: its process runs or is being started
};

class TraceStore {
 public:
  virtual ~TraceStore() = default;

  virtual Result<std::vector<TraceSummary>> list(const std::string& app) = 0;  // newest first
  virtual Result<std::unique_ptr<TracePort>> open(const std::string& app,
                                                  const std::string& id) = 0;
  // The last contract's; kPreflight when it is damaged.
  virtual Result<std::optional<ContractMark>> contract_mark(const std::string& app) = 0;
};

}  // namespace bluegreen
