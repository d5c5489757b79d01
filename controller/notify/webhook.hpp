// Sends one notice to one target: POST, signed, up to kNotifyTries times with growing pauses.
//
// A 2xx is the end; so is any other answer but 408, 425, 429 and 5xx, which are tried again as is a
// connection that fails. All in all a target costs at most about 20 s. Redirections are not
// followed. What is returned is a sentence for the trace; it names the target's host and never its
// path, its file's content or the secret. Blocks; called by the deploy process after its verdict,
// without any lock.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "controller/notify/message.hpp"
#include "controller/ports/result.hpp"

namespace bluegreen {

inline constexpr int kNotifyTries = 3;
inline constexpr std::chrono::milliseconds kNotifyTimeout{5'000};

// Asked while it waits; false ends it.
using GoOn = std::function<bool()>;

// "hooks.example answered 200", "... at try 3"; the error says why not.
Result<std::string> send_notice(const NotifyConfig& target, const Notice& notice, const GoOn& go_on,
                                std::chrono::milliseconds first_pause = std::chrono::milliseconds{
                                    1'000});

}  // namespace bluegreen
