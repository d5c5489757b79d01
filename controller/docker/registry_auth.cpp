// See the header.
#include "controller/docker/registry_auth.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "controller/host/atomic_file.hpp"
#include "controller/host/child_process.hpp"
#include "controller/host/log_file.hpp"
#include "controller/ports/json_fields.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

// A token from the network (ECR's helper asks AWS) may need a few tries of its own.
constexpr std::chrono::milliseconds kHelperTakes{30'000};
// What a helper prints, with code 1, when it simply has none; all of them share this text.
constexpr std::string_view kHasNone = "credentials not found";

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

// What `docker login` calls a registry in its file; docker.io has a name from another time.
std::array<std::string, 4> names_of(const std::string& registry) {
  if (registry == "docker.io") {
    return {"https://index.docker.io/v1/", "index.docker.io", "docker.io",
            "https://index.docker.io/v1"};
  }
  return {registry, "https://" + registry, "http://" + registry, "https://" + registry + "/"};
}

// The user's name when the secret is a token that stands for a login.
constexpr std::string_view kToken = "<token>";

std::string encoded(const json& document) {
  return base64url(document.dump(-1, ' ', false, json::error_handler_t::replace));
}

// What a program reads as its input; gone with the object.
class InputFile {
 public:
  explicit InputFile(const std::string& text) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
    ok_ = fd_ >= 0 && ::pwrite(fd_, text.data(), text.size(), 0) == std::ssize(text);
  }
  ~InputFile() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  int fd_;
  bool ok_ = false;
};

// A program that reads the registry's name from its input and prints JSON.
RegistryAuth ask_helper(const std::string& helper, const std::string& registry) {
  const std::string program = "docker-credential-" + helper;
  const auto failed = [&program](const std::string& why) {
    return RegistryAuth{{}, fmt::format("{} gave no credentials: {}", program, why)};
  };
  const std::string server = names_of(registry).front();
  const InputFile input(server);
  if (!input.ok()) {
    return failed(std::strerror(errno));
  }
  ChildRequest request;
  request.argv = {program, "get"};
  request.environment = child_environment();
  request.timeout = kHelperTakes;
  request.grace = std::chrono::milliseconds(1'000);
  request.input_fd = input.fd();
  const auto exit = run_child(request);
  if (!exit) {
    return failed(exit.error());
  }
  if (!exit->ok()) {
    // Its output is no secret when it failed: the protocol has the reason there.
    const std::string why = text_tail(exit->out.empty() ? exit->err : exit->out, 1);
    return why.starts_with(kHasNone) ? RegistryAuth{}
                                     : failed(fmt::format("it {}: {}", describe(*exit), why));
  }
  return auth_from_helper(exit->out, registry);
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
      return encoded(out);
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
    return encoded(out);
  }
  return anonymous;
}

std::string credential_helper_of(const std::string& config_json, const std::string& registry) {
  const json document = json::parse(config_json, nullptr, false);
  if (!document.is_object()) {
    return {};
  }
  if (const auto own = document.find("credHelpers"); own != document.end() && own->is_object()) {
    for (const std::string& name : names_of(registry)) {
      if (std::string helper = text_at(*own, name.c_str()); !helper.empty()) {
        return helper;
      }
    }
  }
  return text_at(document, "credsStore");
}

RegistryAuth auth_from_helper(const std::string& answer, const std::string& registry) {
  const json document = json::parse(answer, nullptr, false);
  const std::string user = text_at(document, "Username");
  const std::string secret = text_at(document, "Secret");
  if (secret.empty()) {
    return {{}, "the credential helper printed no JSON with a Secret"};
  }
  json out = {{"serveraddress", registry}};
  if (user == kToken) {
    out["identitytoken"] = secret;
  } else {
    out["username"] = user;
    out["password"] = secret;
  }
  return {encoded(out), {}};
}

bool RegistryAuth::anonymous() const {
  return header == base64url("{}");
}

RegistryAuth anonymous_auth() {
  return {base64url("{}"), {}};
}

RegistryAuth registry_auth(const std::string& registry) {
  const std::string folder(value_in(child_environment(), "DOCKER_CONFIG"));
  const auto text = read_file(folder + "/config.json");
  if (!text) {
    return {base64url("{}"), text.error()};
  }
  const std::string config = *text ? **text : std::string("{}");
  RegistryAuth found;
  if (!json::accept(config)) {
    found.trouble = folder + "/config.json is no JSON";
  }
  if (const std::string helper = credential_helper_of(config, registry); !helper.empty()) {
    found = ask_helper(helper, registry);
  }
  if (found.header.empty()) {
    found.header = registry_auth_from(config, registry);
  }
  return found;
}

}  // namespace bluegreen
