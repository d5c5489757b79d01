// EngineClient::find: whether an image could be had, without having it. What is here needs no
// registry; for all else the Engine asks the registry for the manifest's digest, which is one small
// request with the credentials of a pull.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controller/docker/engine_client.hpp"
#include "controller/docker/pull_error.hpp"
#include "controller/docker/registry_auth.hpp"

namespace bluegreen {

namespace {

constexpr std::chrono::milliseconds kAsk{10'000};

}  // namespace

Result<std::string> EngineClient::find(const std::string& image) {
  const auto reference = parse_image_reference(image);
  if (!reference) {
    return fail(ExitCode::kPull, reference.error());
  }
  const std::string name = reference->name();
  // A tag may mean something else by now: only a digest that is here needs no question.
  if (!reference->digest.empty() && this->image(name)) {
    return name + " is on this host";
  }
  EngineCall call;
  call.path = "/distribution/" + name + "/json";
  call.headers = {"X-Registry-Auth: " + registry_auth(reference->registry).header};
  call.timeout = kAsk;
  const auto answer = connection_.call(call);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    PullFailure failure = explain_pull_failure(image, reference->registry, message_of(*answer));
    return fail(ExitCode::kPull, std::move(failure.what), std::move(failure.hint));
  }
  const auto document = nlohmann::json::parse(answer->body, nullptr, false);
  const auto descriptor =
      document.is_object() ? document.value("Descriptor", nlohmann::json()) : nlohmann::json();
  const auto digest =
      descriptor.is_object() ? descriptor.value("digest", nlohmann::json()) : nlohmann::json();
  if (!digest.is_string()) {
    return fail(ExitCode::kPull, name + ": Docker Engine's answer names no digest");
  }
  const std::string pinned = reference->with_digest(digest.get<std::string>());
  return this->image(pinned) ? pinned + " is on this host"
                             : pinned + " is in the registry and will be pulled";
}

}  // namespace bluegreen
