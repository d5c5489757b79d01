// See smoke_check.hpp.
#include "controller/deploy/smoke_check.hpp"

#include <algorithm>
#include <cctype>

#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kExcerpt = 160;

std::string excerpt(const std::string& text) {
  const std::string shown = printable(text.substr(0, kExcerpt));
  return text.size() > kExcerpt ? shown + "..." : shown;
}

std::string quoted(const std::string& text) {
  return "\"" + excerpt(text) + "\"";
}

std::string lower(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string range(const SmokeCheck& check) {
  const std::string least = std::to_string(check.least_status);
  return check.least_status == check.most_status
             ? least
             : least + " to " + std::to_string(check.most_status);
}

}  // namespace

std::string subject_of(const SmokeCheck& check) {
  return check.method + " " + printable(check.path);
}

std::string why_not_from(Color idle, const SmokeAnswer& answer) {
  const std::string wanted(shm::name_of(idle));
  const auto found = answer.headers.find(kColorHeader);
  if (found == answer.headers.end()) {
    return "expected X-Bluegreen-Color: " + wanted + ", found none (status " +
           std::to_string(answer.status) + "): NGINX did not take the request for a preview";
  }
  return found->second == wanted
             ? std::string()
             : "expected X-Bluegreen-Color: " + wanted + ", found " + quoted(found->second);
}

std::string why_not_well(const SmokeCheck& check, const SmokeAnswer& answer) {
  if (answer.status < static_cast<long>(check.least_status) ||
      answer.status > static_cast<long>(check.most_status)) {
    return "expected status " + range(check) + ", found " + std::to_string(answer.status) +
           (answer.body.empty() ? std::string() : ", body " + quoted(answer.body));
  }
  for (const auto& [name, wanted] : check.header) {
    const auto found = answer.headers.find(lower(name));
    const std::string begin = "expected header " + name + " with " + quoted(wanted) + ", found ";
    if (found == answer.headers.end()) {
      return begin + "no such header";
    }
    if (found->second.find(wanted) == std::string::npos) {
      return begin + quoted(found->second);
    }
  }
  if (answer.body.find(check.body) == std::string::npos) {
    return "expected a body with " + quoted(check.body) + ", found " +
           (answer.body.empty() ? "an empty one" : quoted(answer.body));
  }
  if (answer.took > check.within) {
    return "expected the answer within " + std::to_string(check.within.count()) + " ms, found " +
           std::to_string(answer.took.count()) + " ms";
  }
  return {};
}

}  // namespace bluegreen
