// See the header.
#include "controller/docker/registry_auth.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <string_view>

#include "controller/host/atomic_file.hpp"
#include "controller/host/child_process.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string base64url(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t count = std::min<std::size_t>(3, text.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8U | (k < count ? static_cast<unsigned char>(text[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= count ? kDigits[bits >> (18U - 6U * k) & 63U] : '=');
    }
  }
  return out;
}

// Both alphabets; stops at the first byte that is of neither.
std::string from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (char c : text) {
    c = c == '+' ? '-' : c == '/' ? '_' : c;
    const std::size_t value = kDigits.find(c);
    if (value == std::string_view::npos) {
      break;
    }
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>(bits >> held & 0xFFU));
    }
  }
  return out;
}

std::string text_at(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// What `docker login` calls a registry in its file; docker.io has a name from another time.
std::array<std::string, 4> names_of(const std::string& registry) {
  if (registry == "docker.io") {
    return {"https://index.docker.io/v1/", "index.docker.io", "docker.io",
            "https://index.docker.io/v1"};
  }
  return {registry, "https://" + registry, "http://" + registry, "https://" + registry + "/"};
}

}  // namespace

std::string registry_auth_from(const std::string& config_json, const std::string& registry) {
  std::string anonymous = base64url("{}");
  const json document = json::parse(config_json, nullptr, false);
  if (!document.is_object() || !document.contains("auths") || !document["auths"].is_object()) {
    return anonymous;
  }
  for (const std::string& name : names_of(registry)) {
    const auto entry = document["auths"].find(name);
    if (entry == document["auths"].end() || !entry->is_object()) {
      continue;
    }
    json out = {{"serveraddress", registry}};
    if (const std::string token = text_at(*entry, "identitytoken"); !token.empty()) {
      out["identitytoken"] = token;
      return base64url(out.dump());
    }
    std::string user = text_at(*entry, "username");
    std::string password = text_at(*entry, "password");
    if (const std::string pair = from_base64(text_at(*entry, "auth")); !pair.empty()) {
      user = pair.substr(0, pair.find(':'));
      password = pair.find(':') == std::string::npos ? "" : pair.substr(pair.find(':') + 1);
    }
    if (user.empty()) {
      continue;  // a credential helper has it
    }
    out["username"] = user;
    out["password"] = password;
    return base64url(out.dump(-1, ' ', false, json::error_handler_t::replace));
  }
  return anonymous;
}

std::string registry_auth(const std::string& registry) {
  const std::string folder(value_in(child_environment(), "DOCKER_CONFIG"));
  const auto text = read_file(folder + "/config.json");
  return registry_auth_from(text && *text ? **text : std::string("{}"), registry);
}

}  // namespace bluegreen
