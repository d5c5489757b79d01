// Pulling an image: a stream of JSON objects behind a 200, in which an error may still come.
//
// It has worked only when the stream ended whole, no object was an error, and the Engine then
// shows the image with a digest of its repository; that digest is the image's name from there on.
// Transient failures are tried again, with pauses that grow (pull_backoff.hpp); whether the
// Engine fetches finished layers again then is its own affair (20.10 sometimes does).
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "controller/docker/engine_client.hpp"
#include "controller/docker/json_stream.hpp"
#include "controller/docker/pull_backoff.hpp"
#include "controller/docker/pull_error.hpp"
#include "controller/docker/pull_progress.hpp"
#include "controller/docker/registry_auth.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStopNoticed{100};
constexpr std::chrono::minutes kPullTakes{25};  // all tries together: less than the step's limit
// Free for everybody, but an expired login is refused there.
constexpr const char* kPublicEcr = "public.ecr.aws";
constexpr std::chrono::seconds kStalled{180};  // extracting a large layer is silent for a while

// What has come of one pull's stream.
struct PullStream {
  JsonStream objects;
  PullProgress progress;
  std::string error;
  const Progress& show;

  explicit PullStream(const Progress& s) : show(s) {}

  void take(const std::string& text) {
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) {
      error = "the Engine sent what is no JSON: " + text.substr(0, 200);
      return;
    }
    if (const auto found = object.find("error"); found != object.end()) {
      error = found->is_string() ? found->get<std::string>() : found->dump();
      return;
    }
    const json detail = object.value("progressDetail", json::object());
    const auto number = [&detail](const char* name) {
      const auto found = detail.is_object() ? detail.find(name) : detail.end();
      return found != detail.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                                  : std::uint64_t{0};
    };
    const auto text_of = [&object](const char* name) {
      const auto found = object.find(name);
      return found != object.end() && found->is_string() ? found->get<std::string>()
                                                         : std::string();
    };
    const auto now = steady_clock::now();
    const auto line =
        progress.feed(text_of("id"), text_of("status"), number("current"), number("total"), now);
    if (show && (line || progress.bars_are_due(now))) {
      show(line.value_or(""), progress.bars());
    }
  }
};

std::string digest_of(const ImageFacts& image, const ImageReference& reference) {
  for (const std::string& name : image.digests) {
    const auto parsed = parse_image_reference(name);
    if (parsed && parsed->repository == reference.repository &&
        (reference.digest.empty() || parsed->digest == reference.digest)) {
      return parsed->digest;
    }
  }
  return {};
}

double random_part() {
  std::random_device device;
  return std::uniform_real_distribution<>(0.0, 1.0)(device);
}

}  // namespace

struct PullRequest {
  std::string image;  // as it was asked for
  ImageReference reference;
  const Progress& progress;
  const std::function<bool()>& go_on;
  RegistryAuth auth;
  steady_clock::time_point until;

  void tell(const std::string& text) const {
    if (progress) {
      progress(text, {});
    }
  }
  [[nodiscard]] bool stopped() const { return go_on && !go_on(); }
};

Result<std::string> EngineClient::pull_once(const PullRequest& request, PullFailure& failure) {
  const ImageReference& reference = request.reference;
  const auto failed = [&](const std::string& message) {
    failure = explain_pull_failure(request.image, reference.registry, message);
    return fail(ExitCode::kPull, failure.what, failure.hint);
  };
  // The Engine has answered a moment ago, in the preflight: it may be starting again.
  const auto engine_gone = [&failure](const Error& error) {
    failure = {true, false, error.what, error.hint};
    return tl::unexpected(error);
  };
  PullStream stream(request.progress);
  EngineCall call;
  call.method = "POST";
  // Neither tag nor digest would pull every tag there is; a reference has always one of them.
  call.path =
      reference.digest.empty()
          ? fmt::format("/images/create?fromImage={}&tag={}", percent_encoded(reference.repository),
                        reference.tag)
          : "/images/create?fromImage=" + percent_encoded(reference.with_digest(reference.digest));
  call.headers = {"X-Registry-Auth: " + request.auth.header};
  call.timeout =
      std::max(milliseconds(1),
               std::chrono::duration_cast<milliseconds>(request.until - steady_clock::now()));
  call.stalled = kStalled;
  call.go_on = request.go_on;
  call.on_body = [&stream](std::string_view chunk) {
    for (const std::string& object : stream.objects.feed(chunk)) {
      stream.take(object);
    }
    return stream.error.empty() && !stream.objects.broken();
  };
  const auto answer = connection_.call(call);
  if (!stream.error.empty()) {
    return failed(stream.error);
  }
  if (stream.objects.broken()) {
    return failed("the Engine's stream is no sequence of JSON objects");
  }
  if (!answer) {
    return engine_gone(answer.error());
  }
  if (answer->status != 200) {
    return failed(message_of(*answer));
  }
  if (stream.objects.incomplete()) {
    return failed("unexpected EOF in the Engine's stream");
  }
  const auto facts = this->image(reference.name());
  if (!facts) {
    return engine_gone(facts.error());
  }
  const std::string digest = digest_of(*facts, reference);
  if (digest.empty()) {
    return failed("the Engine has the image, but no digest of " + reference.repository);
  }
  return reference.with_digest(digest);
}

Result<std::string> EngineClient::pull_again(PullRequest& request) {
  const auto begin = steady_clock::now();
  for (int tries = 1;; ++tries) {
    PullFailure failure;
    auto pulled = pull_once(request, failure);
    if (pulled || request.stopped()) {
      return pulled;
    }
    if (failure.refused && request.reference.registry == kPublicEcr && !request.auth.anonymous()) {
      request.tell(failure.what + "; trying again without credentials");
      request.auth = anonymous_auth();
      continue;
    }
    const auto since = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
    const auto pause =
        failure.transient
            ? pause_before_retry(backoff_, tries, since, retry_after(failure.what), random_part())
            : std::nullopt;
    if (!pause) {
      Error error = pulled.error();
      if (tries > 1) {
        error.what += fmt::format("; {} tries in {} s", tries, since.count() / 1'000);
      }
      if (failure.refused && !request.auth.trouble.empty()) {
        error.hint = request.auth.trouble + "; " + error.hint;
      }
      return tl::unexpected(std::move(error));
    }
    request.tell(fmt::format("{}; try {} of {} in {:.1f} s", failure.what, tries + 1,
                             backoff_.tries, static_cast<double>(pause->count()) / 1'000));
    // Nothing to wait for: the registry tells nobody.
    const auto until = steady_clock::now() + *pause;
    while (steady_clock::now() < until && !request.stopped()) {
      std::this_thread::sleep_for(kStopNoticed);
    }
  }
}

Result<void> EngineClient::check_platform(const std::string& pinned) {
  const auto found = image(pinned);
  const auto engine = facts();
  if (!found || !engine) {
    return tl::unexpected(found ? engine.error() : found.error());
  }
  const Platform& built = found->platform;
  if (can_run(engine->platform, built) || is_emulated(built.architecture)) {
    return {};
  }
  return fail(ExitCode::kPull,
              fmt::format("image {} is built for {}, but this machine's Docker Engine runs {}: "
                          "expected an image for that",
                          pinned, text_of(built), text_of(engine->platform)),
              fmt::format("build it with `docker buildx build --platform {}/{}`",
                          engine->platform.os, engine->platform.architecture));
}

Result<std::string> EngineClient::pull(const std::string& image, const Progress& progress,
                                       const std::function<bool()>& go_on) {
  const auto reference = parse_image_reference(image);
  if (!reference) {
    return fail(ExitCode::kPull, reference.error());
  }
  PullRequest request{image, *reference, progress, go_on, {}, steady_clock::now() + kPullTakes};
  Result<std::string> pinned;
  // A digest names one content for ever: what is here needs no registry, so that a rollback works
  // while that is down.
  const auto here = reference->digest.empty()
                        ? Result<ImageFacts>(fail(ExitCode::kPull, ""))
                        : this->image(reference->with_digest(reference->digest));
  if (here && !digest_of(*here, *reference).empty()) {
    request.tell("this host has it already");
    pinned = reference->with_digest(reference->digest);
  } else {
    request.auth = registry_auth(reference->registry);
    if (!request.auth.trouble.empty()) {
      request.tell("warning: " + request.auth.trouble);
    }
    pinned = pull_again(request);
  }
  if (pinned) {
    if (auto runs = check_platform(*pinned); !runs) {
      return tl::unexpected(runs.error());
    }
  }
  return pinned;
}

}  // namespace bluegreen
