// What a deploy will do, decided before anything is touched: from the control region (who serves)
// and, for a rollback, from what runs. Written into the journal's first record and read back by
// recovery, so everything that a later process must know to finish or undo is in here.
//
// Called by the detached deploy process under the application's lock. Errors: kUsage when the
// region cannot be used, kPreflight when there is nothing to do it with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "controller/ports/regions.hpp"
#include "controller/ports/result.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/trace.hpp"

namespace bluegreen {

// What a color's table says about it, without the addresses.
struct Labels {
  std::string release;
  std::string image;
  std::string deploy_id;
};

// `--pause-before STEP`: the deploy waits there for `bgctl promote`, at most that long.
struct Pause {
  std::string before;  // empty: it does not wait
  std::chrono::milliseconds at_most{0};
};

inline constexpr std::chrono::hours kLongestPause{24};

struct Plan {
  std::string command;  // deploy, rollback
  std::string id;
  std::string app;
  std::string image;    // as asked for
  std::string release;  // what people call it
  Color idle = Color::kGreen;
  std::uint64_t generation = 0;  // of the region when this was decided
  Labels active_before;
  Labels idle_before;
  bool warm = false;  // what is wanted already runs on the idle color: no pull, no start
  Pause pause;

  Color active() const { return shm::other(idle); }
};

// The tag of an image; without one the last part of its name, or the beginning of its digest.
std::string release_name(const std::string& image);

Labels labels_of(const shm::EndpointTable& table);

Result<Plan> plan_deploy(ControlPort& control, const std::string& app, const std::string& id,
                         const std::string& image);

// `remembered`: the image before the present one as history knows it, or empty; used when the
// region does not name one.
Result<Plan> plan_rollback(ControlPort& control, Runtime& runtime, const std::string& app,
                           const std::string& id, const Labels& remembered);

Facts facts_of(const Plan& plan);
Result<Plan> plan_from(const Facts& facts);

}  // namespace bluegreen
