// Following a deploy that runs in another process: its events as they are written, then its end.
//
// Sleeps on inotify; looks every kLifeCheck whether the process still lives, which no event tells.
// SIGINT and SIGTERM end the following, not the deploy. One thread; called by the foreground of
// deploy and rollback, which may be killed at any moment: nothing depends on it.
#pragma once

#include <chrono>
#include <string>

#include "controller/output/event.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

inline constexpr std::chrono::milliseconds kLifeCheck{500};
inline constexpr std::chrono::milliseconds kStartWithin{20'000};

// kInterrupted when the process has died without a verdict, when it has not come up within
// kStartWithin, and when a signal ended the following (the text says which).
Result<Verdict> follow(const std::string& folder, EventSink& events);

}  // namespace bluegreen
