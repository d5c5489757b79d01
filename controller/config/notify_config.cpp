// See notify_config.hpp.
#include "controller/config/notify_config.hpp"

#include <algorithm>

#include "controller/config/checker.hpp"

namespace bluegreen {
namespace {

using detail::Section;
using nlohmann::json;

constexpr std::size_t kMostTargets = 20;
constexpr std::string_view kEvents[] = {"deployed", "rolled_back", "rollback_failed",
                                        "failed",   "aborted",     "interrupted"};

std::string all_events() {
  std::string all;
  for (const std::string_view event : kEvents) {
    all += (all.empty() ? "\"" : ", \"") + std::string(event) + "\"";
  }
  return all;
}

// Credentials in a URL would be a secret in this file, and end up in logs.
bool is_web_address(const std::string& url) {
  const std::size_t scheme = url.starts_with("https://")  ? 8
                             : url.starts_with("http://") ? 7
                                                          : std::string::npos;
  if (scheme == std::string::npos) {
    return false;
  }
  const std::string host = url.substr(scheme, url.find_first_of("/?#", scheme) - scheme);
  return !host.empty() && host.find('@') == std::string::npos &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

void read_events(Section& section, std::vector<std::string>& to) {
  const json* value = section.any("on");
  if (value == nullptr) {
    return;
  }
  const auto is_event = [](const json& word) {
    return word.is_string() && std::find(std::begin(kEvents), std::end(kEvents),
                                         word.get_ref<const std::string&>()) != std::end(kEvents);
  };
  if (!value->is_array() || value->empty() ||
      !std::all_of(value->begin(), value->end(), is_event)) {
    return section.wrong("on", "a list of at least one of " + all_events());
  }
  to = value->get<std::vector<std::string>>();
}

NotifyConfig read_target(Section& section) {
  NotifyConfig to;
  section.text("url", to.url);
  section.absolute_path("url_file", to.url_file);
  if (section.any("url") == nullptr && section.any("url_file") == nullptr) {
    section.wrong("url", "an address that begins with http:// or https://, or \"url_file\"");
  }
  if (section.any("url") != nullptr && section.any("url_file") != nullptr) {
    section.wrong("url_file", "only without \"url\"");
  }
  if (!to.url.empty() && !is_web_address(to.url)) {
    section.wrong("url", "an address that begins with http:// or https:// and has no user in it");
  }
  std::string format = "json";
  section.text("format", format);
  if (format != "json" && format != "slack") {
    section.wrong("format", "\"json\" or \"slack\"");
  }
  to.format = format == "slack" ? NotifyFormat::kSlack : NotifyFormat::kJson;
  section.absolute_path("secret_file", to.secret_file);
  read_events(section, to.on);
  return to;
}

}  // namespace

std::span<const std::string_view> notify_events() {
  return kEvents;
}

std::vector<NotifyConfig> read_notify(Section& top) {
  std::vector<NotifyConfig> to;
  top.objects("notify", kMostTargets,
              "a list of at most " + std::to_string(kMostTargets) +
                  " objects, as in [{\"url\": \"https://example.org/hook\"}]",
              "an object", [&to](Section& target) { to.push_back(read_target(target)); });
  return to;
}

}  // namespace bluegreen
