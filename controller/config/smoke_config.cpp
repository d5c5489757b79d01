// See smoke_config.hpp.
#include "controller/config/smoke_config.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "controller/config/checker.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using detail::Section;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kHeaderName =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHostName =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:[]";

bool only_of(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == std::string_view::npos;
}

// Nothing that could end a line of the request: what is sent is what is written here.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::iscntrl(c) == 0; });
}

bool is_base_url(const std::string& url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (url.rfind(scheme, 0) == 0) {
      const std::string_view rest = std::string_view(url).substr(scheme.size());
      return !rest.empty() && only_of(rest, kHostName);
    }
  }
  return false;
}

void read_header_map(Section& check, const std::string& key,
                     std::map<std::string, std::string>& to) {
  const json* value = check.object(key);
  if (value == nullptr) {
    return;
  }
  for (const auto& [name, text] : value->items()) {
    const std::string path = check.path_of(key) + "." + printable(name);
    if (name.empty() || !only_of(name, kHeaderName)) {
      check.problems().add(path, "expected a header's name (letters, digits, '-', '_'), found \"" +
                                     printable(name) + "\"");
    } else if (!text.is_string() || !is_plain(text.get_ref<const std::string&>())) {
      check.problems().add(
          path, "expected a text without control characters, found " + detail::shown(text));
    } else {
      to[name] = text.get<std::string>();
    }
  }
}

// "200" or "200-299", or the number 200.
void read_status(Section& section, SmokeCheck& check) {
  constexpr std::uint32_t kLeast = 100;
  constexpr std::uint32_t kMost = 599;
  const json* value = section.any("status");
  if (value == nullptr) {
    return;
  }
  std::string text;
  if (value->is_number_integer()) {
    text = value->dump();
  } else if (value->is_string()) {
    text = value->get<std::string>();
  }
  const std::size_t dash = text.find('-');
  const std::string first = text.substr(0, dash);
  const std::string last = dash == std::string::npos ? first : text.substr(dash + 1);
  const auto number = [](const std::string& digits) {
    std::uint32_t out = 0;
    const auto end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, out);
    return parsed.ec == std::errc() && parsed.ptr == end && digits.size() == 3 ? out : 0U;
  };
  const std::uint32_t least = number(first);
  const std::uint32_t most = number(last);
  if (least < kLeast || most > kMost || least > most) {
    section.wrong("status", "a status from 100 to 599 as 200 or \"200-299\"");
    return;
  }
  check.least_status = least;
  check.most_status = most;
}

SmokeCheck read_check(Section& smoke, const json& document, const std::string& path) {
  SmokeCheck check;
  if (!document.is_object()) {
    smoke.problems().add(path, "expected an object with path, found " + detail::shown(document));
    return check;
  }
  Section section(smoke.problems(), &document, path);
  section.require("path", "a path that begins with /");
  section.text("path", check.path);
  if (!check.path.empty() && (check.path.front() != '/' || !is_plain(check.path) ||
                              check.path.find(' ') != std::string::npos)) {
    section.wrong("path", "a path that begins with / and has no space");
  }
  section.name("method", check.method, kUpper, {}, "a method in capitals, as in \"GET\"");
  read_header_map(section, "headers", check.headers);
  read_status(section, check);
  read_header_map(section, "header", check.header);
  section.text("body", check.body);
  section.duration("within", check.within, milliseconds{1}, std::chrono::hours{1});
  return check;
}

}  // namespace

std::optional<SmokeConfig> read_smoke(Section& app) {
  const json* document = app.object("smoke");
  if (document == nullptr) {
    return std::nullopt;
  }
  SmokeConfig smoke;
  Section section(app.problems(), document, app.path_of("smoke"));
  section.require("url", "where NGINX is reached from this host, as in \"http://127.0.0.1:8080\"");
  section.text("url", smoke.url);
  if (!smoke.url.empty() && !is_base_url(smoke.url)) {
    section.wrong("url", "http:// or https:// with a host and perhaps a port, and no path");
  }
  section.name("header", smoke.header, kHeaderName, {},
               "a header's name (letters, digits, '-', '_')");
  section.require("secret_file", "the file that NGINX's bluegreen_preview names");
  section.absolute_path("secret_file", smoke.secret_file);
  section.name("host", smoke.host, kHostName, {}, "a host's name");
  section.require("checks", "a list of requests, each with a path");
  const json* checks = section.any("checks");
  if (checks == nullptr) {
    return smoke;
  }
  if (!checks->is_array() || checks->empty()) {
    section.wrong("checks", "a list of at least one request, each with a path");
    return smoke;
  }
  for (std::size_t i = 0; i < checks->size(); ++i) {
    smoke.checks.push_back(
        read_check(section, checks->at(i), section.path_of("checks") + "." + std::to_string(i)));
  }
  return smoke;
}

}  // namespace bluegreen
