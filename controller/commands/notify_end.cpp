// See notify_end.hpp.
#include "controller/commands/notify_end.hpp"

#include <unistd.h>

#include <array>

#include "controller/notify/webhook.hpp"

namespace bluegreen {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

void notify_end(DeployProcess& process) {
  const auto& targets = process.place.config->notify;
  const auto verdict = read_verdict(process.trace->folder());
  if (targets.empty() || !verdict || !*verdict) {
    return;
  }
  const Notice notice{**verdict, process.request.by, process.request.from, host_name(),
                      process.clock.wall()};
  const std::string event = event_of(notice.verdict);
  for (const NotifyConfig& target : targets) {
    if (!is_wanted(target, event)) {
      continue;
    }
    const auto begin = process.clock.now();
    const auto sent =
        send_notice(target, notice, [&process] { return !process.clock.stop_requested(); });
    process.events->emit({process.clock.wall(),
                          "notify",
                          sent ? StepState::kDone : StepState::kFailed,
                          event + ": " + (sent ? *sent : sent.error().what),
                          std::chrono::duration_cast<milliseconds>(process.clock.now() - begin),
                          {}});
  }
}

}  // namespace bluegreen
