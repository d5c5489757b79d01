// See the header.
#include "controller/compose/compose_document.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "controller/ports/json_fields.hpp"
namespace bluegreen {
namespace {

using nlohmann::json;

const json& member(const json& object, const std::string& name) {
  static const json kNothing;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? kNothing : *found;
}

bool has_fixed_address(const json& service, const std::string& network) {
  const json& networks = member(service, "networks");
  if (!networks.is_object()) {
    return false;
  }
  for (const auto& [name, settings] : networks.items()) {
    // The configuration may have Docker's name, which is the project's before Compose's.
    const bool asked = network.empty() || name == network || network.ends_with("_" + name);
    if (asked && (!text_at(settings, "ipv4_address").empty() ||
                  !text_at(settings, "ipv6_address").empty())) {
      return true;
    }
  }
  return false;
}

// `deploy.replicas`, else the older `scale`; 1 when the file says neither.
std::int64_t replicas_of(const json& service) {
  const json& asked = member(member(service, "deploy"), "replicas");
  const json& scale = asked.is_number_integer() ? asked : member(service, "scale");
  return scale.is_number_integer() ? scale.get<std::int64_t>() : 1;
}

bool has_healthcheck(const json& service) {
  const json& check = member(service, "healthcheck");
  const json& test = member(check, "test");
  const bool disabled = member(check, "disable") == json(true);
  return !disabled && test.is_array() && !test.empty() && test.front() != "NONE";
}

tl::expected<void, std::string> check_service(const json& service, shm::Color color,
                                              const ComposeConfig& config,
                                              const ProbeImages& probes) {
  const std::string& name = config.services[index_of(color)];
  const std::string& variable = config.image_variables[index_of(color)];
  const auto refused = [&](const std::string& text) {
    return tl::unexpected(fmt::format("{}: service {}: {}", config.file, name, text));
  };
  if (service.is_null()) {
    return tl::unexpected(fmt::format("{}: there is no service {}", config.file, name));
  }
  if (const std::string image = text_at(service, "image"); image != probes.words[index_of(color)]) {
    const bool crossed = image == probes.words[index_of(other(color))];
    return refused(fmt::format("image is {}, expected ${{{}:?}} and nothing else",
                               crossed ? "the other color's variable" : "'" + image + "'",
                               variable));
  }
  if (const std::string restart = text_at(service, "restart"); restart != "unless-stopped") {
    return refused(
        fmt::format("restart is '{}', expected 'unless-stopped': else nothing brings "
                    "the color back after a reboot",
                    restart.empty() ? "no" : restart));
  }
  if (!has_healthcheck(service)) {
    return refused("there is no healthcheck, expected one: it says when the color can serve");
  }
  const std::int64_t replicas = replicas_of(service);
  const bool fixed = has_fixed_address(service, config.network);
  if (replicas < 1) {
    return refused(fmt::format("{} replicas, expected 1 or more", replicas));
  }
  // Two containers cannot have one address. Theirs are published anew after a reboot, by
  // `bgctl recover`, before NGINX starts.
  if (replicas > 1 && fixed) {
    return refused(fmt::format(
        "there are {} replicas and one fixed address, expected no ipv4_address with replicas: have "
        "`bgctl recover` run at boot, before NGINX starts",
        replicas));
  }
  if (replicas == 1 && !fixed) {
    return refused(fmt::format(
        "there is no ipv4_address{}, expected one: Docker gives addresses anew at each start",
        config.network.empty() ? "" : " in network " + config.network));
  }
  return {};
}

}  // namespace

tl::expected<void, std::string> check_services(const std::string& text, const ComposeConfig& config,
                                               const ProbeImages& probes) {
  const json document = json::parse(text, nullptr, false);
  const json& services = member(document, "services");
  if (!services.is_object()) {
    return tl::unexpected(fmt::format("{}: docker compose config prints no services", config.file));
  }
  for (const shm::Color color : shm::kColors) {
    auto checked =
        check_service(member(services, config.services[index_of(color)]), color, config, probes);
    if (!checked) {
      return checked;
    }
  }
  return {};
}

tl::expected<std::string, std::string> service_image(const std::string& text,
                                                     const std::string& service) {
  const json document = json::parse(text, nullptr, false);
  const std::string image = text_at(member(member(document, "services"), service), "image");
  if (image.empty()) {
    return tl::unexpected(fmt::format("service {} has no image", service));
  }
  return image;
}

bool compose_version_is_at_least(const std::string& text, int major, int minor) {
  const char* at = text.data() + (text.starts_with("v") ? 1 : 0);
  const char* end = text.data() + text.size();
  int found_major = 0;
  int found_minor = 0;
  const auto first = std::from_chars(at, end, found_major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') {
    return false;
  }
  if (std::from_chars(first.ptr + 1, end, found_minor).ec != std::errc()) {
    return false;
  }
  return found_major > major || (found_major == major && found_minor >= minor);
}

}  // namespace bluegreen
