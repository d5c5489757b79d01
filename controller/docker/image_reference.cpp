// See the header. The rule for the first part is Docker's: it is a registry when it has a dot or a
// colon, or is "localhost".
#include "controller/docker/image_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace bluegreen {
namespace {

constexpr std::size_t kLongest = 255;

bool all_of(const std::string& text, const char* others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [others](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view(others).find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_digest(const std::string& text) {
  return text.size() == 71 && text.starts_with("sha256:") &&
         text.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
}

bool is_lower_path(const std::string& text) {
  return all_of(text, "._-/") && text.front() != '/' && text.back() != '/' &&
         text.find("//") == std::string::npos &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return std::isupper(c); });
}

void drop_prefix(std::string& text, const std::string& prefix) {
  if (text.starts_with(prefix)) {
    text.erase(0, prefix.size());
  }
}

}  // namespace

tl::expected<ImageReference, std::string> parse_image_reference(const std::string& text) {
  const auto refused = [&text](const char* expected) {
    return tl::unexpected(fmt::format("'{}' is no image reference: expected {}", text, expected));
  };
  if (text.empty() || text.size() > kLongest) {
    return refused("1 to 255 characters, [registry/]name[:tag][@sha256:digest]");
  }
  ImageReference out;
  std::string rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string::npos) {
    out.digest = rest.substr(at + 1);
    rest.resize(at);
    if (!is_digest(out.digest)) {
      return refused("sha256: and 64 hexadecimal digits after the @");
    }
  }
  const std::size_t colon = rest.rfind(':');
  const std::size_t last_slash = rest.rfind('/');
  if (colon != std::string::npos && (last_slash == std::string::npos || colon > last_slash)) {
    out.tag = rest.substr(colon + 1);
    rest.resize(colon);
    if (!all_of(out.tag, "._-") || out.tag.size() > 128 || out.tag.front() == '.' ||
        out.tag.front() == '-') {
      return refused("letters, digits and ._- in the tag");
    }
  } else if (out.digest.empty()) {
    out.tag = "latest";
  }
  out.registry = "docker.io";
  std::string path = rest;
  if (const std::size_t slash = rest.find('/'); slash != std::string::npos) {
    const std::string first = rest.substr(0, slash);
    if (first.find_first_of(".:") != std::string::npos || first == "localhost") {
      out.registry = first;
      path = rest.substr(slash + 1);
    }
  }
  if (!all_of(out.registry, ".-:") || !is_lower_path(path)) {
    return refused("lower-case letters, digits and ._-/ in the name");
  }
  if (out.registry == "docker.io" || out.registry == "index.docker.io") {
    out.registry = "docker.io";
    drop_prefix(path, "library/");
    out.repository = path;
  } else {
    out.repository = out.registry + "/" + path;
  }
  return out;
}

}  // namespace bluegreen
