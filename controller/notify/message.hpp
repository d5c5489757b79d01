// What is told of a deploy's end, as words: the event's name, the body in either format, the
// signature. docs/notifications.md is the reader's side of it.
//
// Pure. A body holds what the verdict holds but the log's tail, which is an application's own and
// may be secret; and no secret of the configuration. Called by webhook.cpp and its caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/config/notify_config.hpp"
#include "controller/output/event.hpp"

namespace bluegreen {

// The end of a deploy and who wanted it.
struct Notice {
  Verdict verdict;
  std::string by;
  std::string from;  // address of a pipeline's run
  std::string host;
  std::chrono::system_clock::time_point at;
};

// One of notify_events(); empty when nobody is to be told (the lock was held by another deploy).
std::string event_of(const Verdict& verdict);
bool is_wanted(const NotifyConfig& target, const std::string& event);

std::string body_of(NotifyFormat format, const Notice& notice);

// "sha256=..." over "TIMESTAMP.BODY": an old one cannot be sent again with a new time.
std::string signature_of(std::string_view secret, std::int64_t timestamp, std::string_view body);

}  // namespace bluegreen
