// How long a pull that failed waits before it is tried again, and when it is given up: the pauses
// double, a random part keeps many hosts from coming back at the same moment, and a registry that
// says when to come back is obeyed. Pure; called by the pull (engine_pull.cpp) after each failure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace bluegreen {

struct PullBackoff {
  int tries = 6;
  std::chrono::milliseconds first{1'000};
  std::chrono::milliseconds longest{30'000};  // of our own pauses
  std::chrono::milliseconds within{600'000};  // no new try is begun later than this
};

// The pause after `failed` tries (1 or more) of which the first began `since_first` ago; nothing:
// give up. `random` is in [0, 1) and spreads the pause over its upper half. `asked` is what the
// registry wants, see retry_after.
std::optional<std::chrono::milliseconds> pause_before_retry(
    const PullBackoff& backoff, int failed, std::chrono::milliseconds since_first,
    std::optional<std::chrono::milliseconds> asked, double random);

// The time that a registry asks for, where the Engine lets it through: "Retry-After: 30",
// "retry-after: 1.5s", "retry after 937.481µs".
std::optional<std::chrono::milliseconds> retry_after(const std::string& message);

}  // namespace bluegreen
