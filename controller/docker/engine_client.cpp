// See the header; pulls are in engine_pull.cpp.
#include "controller/docker/engine_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/docker/log_frames.hpp"
#include "controller/host/kill_point.hpp"
#include "controller/host/log_file.hpp"
#include "controller/ports/json_fields.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

int number_at(const json& object, const char* name, int otherwise = 0) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number_integer() ? found->get<int>() : otherwise;
}

bool truth_at(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const json& member(const json& object, const char* name) {
  static const json kNothing;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? kNothing : *found;
}

std::vector<std::string> texts_at(const json& object, const char* name) {
  std::vector<std::string> out;
  for (const json& entry : member(object, name)) {
    if (entry.is_string()) {
      out.push_back(entry.get<std::string>());
    }
  }
  return out;
}

std::string filters_of(const ServiceFilter& filter, json more = json::object()) {
  more["label"] = {"com.docker.compose.project=" + filter.project,
                   "com.docker.compose.service=" + filter.service,
                   "com.docker.compose.oneoff=False"};
  return "filters=" + percent_encoded(more.dump());
}

tl::unexpected<Error> refused(const std::string& what, const HttpResponse& response) {
  return tl::unexpected(Error{ExitCode::kPreflight,
                              fmt::format("{}: Docker Engine: {}", what, message_of(response))});
}

ImageFacts image_facts(const json& document) {
  ImageFacts out;
  out.id = text_at(document, "Id");
  out.digests = texts_at(document, "RepoDigests");
  out.tags = texts_at(document, "RepoTags");
  out.platform = {text_at(document, "Os"), text_at(document, "Architecture"),
                  text_at(document, "Variant")};
  return out;
}

}  // namespace

Result<ContainerFacts> parse_container(const std::string& inspect_json) {
  const json document = json::parse(inspect_json, nullptr, false);
  const json& state = member(document, "State");
  const json& config = member(document, "Config");
  ContainerFacts out;
  out.id = text_at(document, "Id");
  out.status = text_at(state, "Status");
  if (out.id.empty() || out.status.empty()) {
    return fail(ExitCode::kPreflight, "Docker Engine's inspect has no Id or no State.Status");
  }
  out.name = text_at(document, "Name");
  out.name.erase(0, out.name.starts_with("/") ? 1 : 0);
  out.image = text_at(config, "Image");
  out.running = truth_at(state, "Running");
  out.out_of_memory = truth_at(state, "OOMKilled");
  out.exit_code = number_at(state, "ExitCode");
  out.restarts = number_at(document, "RestartCount");
  out.error = text_at(state, "Error");
  out.started_at = text_at(state, "StartedAt");
  const json& health = member(state, "Health");
  out.health = text_at(health, "Status");
  if (out.health.empty()) {
    out.health = "none";
  }
  if (const json& log = member(health, "Log"); log.is_array() && !log.empty()) {
    out.health_output = text_tail(text_at(log.back(), "Output"), 5);
  }
  out.terminal = truth_at(config, "Tty");
  out.stop_seconds = std::clamp(number_at(config, "StopTimeout", 10), 0, 3600);
  const json& networks = member(member(document, "NetworkSettings"), "Networks");
  if (networks.is_object()) {
    for (const auto& [name, network] : networks.items()) {
      const std::string v4 = text_at(network, "IPAddress");
      const std::string v6 = text_at(network, "GlobalIPv6Address");
      out.addresses[name] = v4.empty() ? v6 : v4;
    }
  }
  return out;
}

Result<EngineFacts> EngineClient::facts() {
  EngineCall call;
  call.path = "/info";
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return refused("info", *answer);
  }
  const json document = json::parse(answer->body, nullptr, false);
  EngineFacts out{text_at(document, "ServerVersion"), text_at(document, "DockerRootDir")};
  out.platform = engine_platform(text_at(document, "OSType"), text_at(document, "Architecture"));
  // [["driver-type", "io.containerd.snapshotter.v1"]]
  out.containerd_store =
      member(document, "DriverStatus").dump().find("io.containerd.snapshotter") !=
      std::string::npos;
  return out;
}

Result<std::optional<ContainerFacts>> EngineClient::inspect(const std::string& id) {
  EngineCall call;
  call.path = "/containers/" + percent_encoded(id) + "/json";
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status == 404) {
    return std::optional<ContainerFacts>();
  }
  if (answer->status != 200) {
    return refused("inspect container " + id, *answer);
  }
  auto facts = parse_container(answer->body);
  if (!facts) {
    return tl::unexpected(facts.error());
  }
  return std::optional(std::move(*facts));
}

Result<std::vector<ContainerFacts>> EngineClient::containers(const ServiceFilter& filter) {
  EngineCall call;
  call.path = "/containers/json?all=1&" + filters_of(filter);
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return refused("list the containers of service " + filter.service, *answer);
  }
  const json document = json::parse(answer->body, nullptr, false);
  std::vector<std::pair<int, std::string>> ids;
  if (document.is_array()) {
    for (const json& entry : document) {
      ids.emplace_back(number_at(entry, "Created"), text_at(entry, "Id"));
    }
  }
  std::sort(ids.begin(), ids.end());
  std::vector<ContainerFacts> out;
  for (const auto& [created, id] : ids) {
    auto facts = inspect(id);
    if (!facts) {
      return tl::unexpected(facts.error());
    }
    if (*facts) {  // else it went between the two calls
      out.push_back(std::move(**facts));
    }
  }
  return out;
}

Result<HttpStream> EngineClient::events(const ServiceFilter& filter) {
  // The Engine answers before it has subscribed us; `since` makes it send what came in between.
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  EngineCall call;
  call.path = fmt::format(
      "/events?since={}&{}", now - 1,
      filters_of(filter, {{"type", json::array({"container"})},
                          {"event", {"health_status", "die", "oom", "start", "destroy"}}}));
  return connection_.stream(call);
}

Result<void> EngineClient::stop(const ContainerFacts& container) {
  EngineCall call;
  call.method = "POST";
  call.path = fmt::format("/containers/{}/stop?t={}", percent_encoded(container.id),
                          container.stop_seconds);
  // The Engine answers when the container has ended; SIGKILL takes a moment, too.
  call.timeout = std::chrono::seconds(container.stop_seconds) + milliseconds(30'000);
  BLUEGREEN_KILL_POINT("container about to be stopped");
  const auto answer = connection_.call(call);
  BLUEGREEN_KILL_POINT("container stopped");
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 204 && answer->status != 304 && answer->status != 404) {
    return refused("stop container " + container.name, *answer);
  }
  return {};
}

Result<void> EngineClient::remove(const ContainerFacts& container) {
  EngineCall call;
  call.method = "DELETE";
  call.path = "/containers/" + percent_encoded(container.id) + "?v=1&force=1";
  call.timeout = milliseconds(60'000);
  BLUEGREEN_KILL_POINT("container about to be removed");
  const auto answer = connection_.call(call);
  BLUEGREEN_KILL_POINT("container removed");
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  // 409: its removal is under way already.
  if (answer->status != 204 && answer->status != 404 && answer->status != 409) {
    return refused("remove container " + container.name, *answer);
  }
  return {};
}

std::string EngineClient::log_tail(const ContainerFacts& container, std::size_t lines) {
  EngineCall call;
  call.path = fmt::format("/containers/{}/logs?stdout=1&stderr=1&tail={}",
                          percent_encoded(container.id), lines);
  call.timeout = milliseconds(10'000);
  const auto answer = connection_.call(call);
  if (!answer || answer->status != 200) {
    return {};
  }
  return text_tail(container.terminal ? answer->body : without_frames(answer->body), lines);
}

Result<ImageFacts> EngineClient::image(const std::string& reference) {
  EngineCall call;
  // A reference has slashes, which are part of the path here.
  call.path = "/images/" + reference + "/json";
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return fail(ExitCode::kPull,
                fmt::format("image {}: Docker Engine: {}", reference, message_of(*answer)));
  }
  return image_facts(json::parse(answer->body, nullptr, false));
}

Result<std::vector<ImageFacts>> EngineClient::images_of(const std::string& repository) {
  EngineCall call;
  call.path = "/images/json?filters=" +
              percent_encoded(json({{"reference", json::array({repository})}}).dump());
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return refused("list the images of " + repository, *answer);
  }
  std::vector<ImageFacts> out;
  const json document = json::parse(answer->body, nullptr, false);
  if (document.is_array()) {
    for (const json& entry : document) {
      out.push_back(image_facts(entry));
    }
  }
  return out;
}

Result<std::set<std::string>> EngineClient::image_ids_in_use() {
  EngineCall call;
  call.path = "/containers/json?all=1";
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return refused("list all containers", *answer);
  }
  std::set<std::string> out;
  const json document = json::parse(answer->body, nullptr, false);
  if (document.is_array()) {
    for (const json& entry : document) {
      out.insert(text_at(entry, "ImageID"));
    }
  }
  return out;
}

Result<void> EngineClient::remove_image(const std::string& reference) {
  EngineCall call;
  call.method = "DELETE";
  call.path = "/images/" + reference;
  call.timeout = milliseconds(120'000);
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  // 409: a container uses it, which is a reason to keep it.
  if (answer->status != 200 && answer->status != 404 && answer->status != 409) {
    return refused("remove image " + reference, *answer);
  }
  return {};
}

}  // namespace bluegreen
