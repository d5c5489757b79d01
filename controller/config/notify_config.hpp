// "notify" of the configuration: who is told how a deploy has ended. What is sent, and how it is
// signed, is controller/notify's; secrets are named by their file and never stand here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bluegreen {

namespace detail {
class Section;
}

enum class NotifyFormat : std::uint8_t { kJson, kSlack };

struct NotifyConfig {
  std::string url;       // http:// or https://; of a Slack hook it is a secret itself: then
  std::string url_file;  // the file whose first line it is. One of the two is required.
  NotifyFormat format = NotifyFormat::kJson;
  std::string secret_file;      // absolute; empty: not signed
  std::vector<std::string> on;  // words of notify_events(); empty: all
};

// The words that "on" may have: how a deploy or a rollback can end.
std::span<const std::string_view> notify_events();

std::vector<NotifyConfig> read_notify(detail::Section& top);

}  // namespace bluegreen
