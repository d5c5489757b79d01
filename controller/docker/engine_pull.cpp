// Pulling an image: a stream of JSON objects behind a 200, in which an error may still come.
//
// It has worked only when the stream ended whole, no object was an error, and the Engine then
// shows the image with a digest of its repository; that digest is the image's name from there on.
// Transient failures are tried again, a few times.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "controller/docker/engine_client.hpp"
#include "controller/docker/json_stream.hpp"
#include "controller/docker/pull_error.hpp"
#include "controller/docker/pull_progress.hpp"
#include "controller/docker/registry_auth.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kTries = 3;
constexpr milliseconds kFirstPause{1'000};  // doubled after each try
constexpr milliseconds kStopNoticed{100};
constexpr std::chrono::minutes kPullTakes{60};
constexpr std::chrono::seconds kStalled{180};  // extracting a large layer is silent for a while

// What has come of one pull's stream.
struct PullStream {
  JsonStream objects;
  PullProgress progress;
  std::string error;
  const std::function<void(const std::string&)>& show;

  explicit PullStream(const std::function<void(const std::string&)>& s) : show(s) {}

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
    const auto line = progress.feed(text_of("id"), text_of("status"), number("current"),
                                    number("total"), steady_clock::now());
    if (line && show) {
      show(*line);
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

}  // namespace

Result<std::string> EngineClient::pull_once(const ImageReference& reference,
                                            const std::string& image,
                                            const std::function<void(const std::string&)>& progress,
                                            const std::function<bool()>& go_on, bool& transient) {
  const auto failed = [&](const std::string& message) {
    PullFailure failure = explain_pull_failure(image, reference.registry, message);
    transient = failure.transient;
    return fail(ExitCode::kPull, std::move(failure.what), std::move(failure.hint));
  };
  PullStream stream(progress);
  EngineCall call;
  call.method = "POST";
  // Neither tag nor digest would pull every tag there is; a reference has always one of them.
  call.path =
      reference.digest.empty()
          ? fmt::format("/images/create?fromImage={}&tag={}", percent_encoded(reference.repository),
                        reference.tag)
          : "/images/create?fromImage=" + percent_encoded(reference.with_digest(reference.digest));
  call.headers = {"X-Registry-Auth: " + registry_auth(reference.registry)};
  call.timeout = kPullTakes;
  call.stalled = kStalled;
  call.go_on = go_on;
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
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return failed(message_of(*answer));
  }
  if (stream.objects.incomplete()) {
    return failed("unexpected EOF in the Engine's stream");
  }
  const auto facts =
      this->image(reference.digest.empty() ? reference.repository + ":" + reference.tag
                                           : reference.with_digest(reference.digest));
  if (!facts) {
    return tl::unexpected(facts.error());
  }
  const std::string digest = digest_of(*facts, reference);
  if (digest.empty()) {
    return failed("the Engine has the image, but no digest of " + reference.repository);
  }
  return reference.with_digest(digest);
}

Result<std::string> EngineClient::pull(const std::string& image,
                                       const std::function<void(const std::string&)>& progress,
                                       const std::function<bool()>& go_on) {
  const auto reference = parse_image_reference(image);
  if (!reference) {
    return fail(ExitCode::kPull, reference.error());
  }
  // A digest names one content for ever: what is here needs no registry, so that a rollback works
  // while that is down.
  if (!reference->digest.empty()) {
    const auto here = this->image(reference->with_digest(reference->digest));
    if (here && !digest_of(*here, *reference).empty()) {
      if (progress) {
        progress("this host has it already");
      }
      return reference->with_digest(reference->digest);
    }
  }
  milliseconds pause = kFirstPause;
  for (int left = kTries;; --left, pause *= 2) {
    bool transient = false;
    auto pulled = pull_once(*reference, image, progress, go_on, transient);
    if (pulled || !transient || left == 1 || (go_on && !go_on())) {
      return pulled;
    }
    if (progress) {
      progress(fmt::format("{}; trying again", pulled.error().what));
    }
    // Nothing to wait for: the registry tells nobody.
    const auto until = steady_clock::now() + pause;
    while (steady_clock::now() < until && (!go_on || go_on())) {
      std::this_thread::sleep_for(kStopNoticed);
    }
  }
}

}  // namespace bluegreen
