// See message.hpp.
#include "controller/notify/message.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/notify/hmac_sha256.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

// A reason may quote a whole answer; a chat wants a sentence.
constexpr std::size_t kLongestSlack = 600;

std::string json_body(const Notice& notice) {
  const Verdict& verdict = notice.verdict;
  const json document = {{"schema", 1},
                         {"event", event_of(verdict)},
                         {"at", utc_time(notice.at)},
                         {"host", notice.host},
                         {"app", verdict.app},
                         {"id", verdict.id},
                         {"command", verdict.command},
                         {"result", result_word(verdict.code)},
                         {"exit", static_cast<int>(verdict.code)},
                         {"headline", verdict.headline},
                         {"reason", verdict.reason},
                         {"hint", verdict.hint},
                         {"active", verdict.active},
                         {"release", verdict.release},
                         {"previous", verdict.previous},
                         {"image", verdict.image},
                         {"trace", verdict.trace},
                         {"by", notice.by},
                         {"from", notice.from}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Slack takes three characters for its own; everything else is text.
std::string for_slack(const std::string& text) {
  std::string safe;
  const std::string shown = printable(text);
  for (const char c :
       shown.size() > kLongestSlack ? shown.substr(0, kLongestSlack) + "..." : shown) {
    safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return safe;
}

std::string slack_body(const Notice& notice) {
  const Verdict& verdict = notice.verdict;
  const bool well = verdict.code == ExitCode::kDone || verdict.code == ExitCode::kDrainForced;
  std::string text = well                                        ? ":white_check_mark: "
                     : verdict.code == ExitCode::kRollbackFailed ? ":rotating_light: "
                                                                 : ":x: ";
  text += "*" + for_slack(verdict.app) + "* on " + for_slack(notice.host) + ": " +
          for_slack(verdict.headline);
  text += verdict.reason.empty() ? "" : "\n" + for_slack(verdict.reason);
  text += verdict.hint.empty() ? "" : "\nto do: " + for_slack(verdict.hint);
  text += "\ndeploy " + for_slack(verdict.id);
  text += notice.by.empty() ? "" : ", asked by " + for_slack(notice.by);
  text += notice.from.empty() ? "" : ", " + for_slack(notice.from);
  return json({{"text", text}}).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string event_of(const Verdict& verdict) {
  switch (verdict.code) {
    case ExitCode::kDone:
    case ExitCode::kDrainForced:
      return verdict.command == "rollback" ? "rolled_back" : "deployed";
    case ExitCode::kRolledBack:
      return "rolled_back";
    case ExitCode::kRollbackFailed:
      return "rollback_failed";
    case ExitCode::kAborted:
      return "aborted";
    case ExitCode::kInterrupted:
      return "interrupted";
    case ExitCode::kLocked:
      return {};
    default:
      return "failed";
  }
}

bool is_wanted(const NotifyConfig& target, const std::string& event) {
  return !event.empty() && (target.on.empty() || std::find(target.on.begin(), target.on.end(),
                                                           event) != target.on.end());
}

std::string body_of(NotifyFormat format, const Notice& notice) {
  return format == NotifyFormat::kSlack ? slack_body(notice) : json_body(notice);
}

std::string signature_of(std::string_view secret, std::int64_t timestamp, std::string_view body) {
  const std::string signed_text = std::to_string(timestamp) + "." + std::string(body);
  return "sha256=" + hex(hmac_sha256(secret, signed_text));
}

}  // namespace bluegreen
