// Handing something over to the deploy that runs: abort, promote, and a rollback that meets one.
//
// The running deploy is found by the application's lock, whose holder file names it; the order is a
// file (host/deploy_orders.hpp) that its process sees at once. Whoever gives an order waits for
// what comes of it: the deploy's verdict, or that it was taken. Nothing else is changed here, and a
// killed giver changes nothing about the order.
//
// Called by abort.cpp, promote.cpp and rollback.cpp. Errors: kPreflight when there is no deploy to
// hand it to, with what is at work instead.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "controller/commands/deploy_place.hpp"
#include "controller/host/deploy_orders.hpp"
#include "controller/host/system_clock.hpp"

namespace bluegreen {

// What a stop has to be answered in.
inline constexpr std::chrono::milliseconds kSafeWithin{10'000};

struct DeployInProgress {
  std::string command;  // deploy, rollback
  OrderTo to;
  std::string folder;  // its trace
};

// A deploy that was asked for a moment ago and has not taken the lock yet is waited for, shortly.
Result<DeployInProgress> find_deploy(const DeployPlace& place, SystemClock& clock);
// The same without waiting; none when nothing is to be found.
std::optional<DeployInProgress> deploy_at_work(const DeployPlace& place);

enum class StopEnd : std::uint8_t {
  kEnded,    // its verdict is out
  kSafe,     // not yet, but the old color serves and stays; it takes away what it has started
  kTooLate,  // not yet, and the new color serves: it is past the last step that is taken back
  kDied,     // without a verdict
  kStopped,  // a signal ended the waiting
};

struct StopAnswer {
  StopEnd end = StopEnd::kEnded;
  Verdict verdict;      // with kEnded
  std::string step;     // that it was at, when it has not ended
  bool obeyed = false;  // with kEnded: it ended because it was asked to
};

// Gives the order (abort or rollback) and waits until it is answered, `at_most` so long.
Result<StopAnswer> stop_deploy(const DeployPlace& place, const DeployInProgress& deploy,
                               Order order, SystemClock& clock, std::chrono::milliseconds at_most);

// The step that a deploy is at, by its journal; empty before its first.
std::string step_of(const DeployPlace& place, const DeployInProgress& deploy);

// The end of a command that has stopped a deploy, for abort and rollback: 0 when the old color
// serves by now.
int finish_stopped(CommandContext& context, const DeployPlace& place,
                   const DeployInProgress& deploy, const StopAnswer& answer);

}  // namespace bluegreen
