// Messages as engines and registries give them, and what they mean.
#include "controller/docker/pull_error.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Failed pull is tried again only when that can help") {
  struct Row {
    const char* message;
    bool transient;
    const char* meaning;
  };
  for (const Row& row : {
           Row{"Get \"http://localhost:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection "
               "refused",
               true, "the registry does not answer"},
           Row{"manifest for localhost:5000/app:v9 not found: manifest unknown: manifest unknown",
               false, "the registry has no such image"},
           Row{"toomanyrequests: You have reached your pull rate limit", true,
               "limits this host's requests"},
           Row{"pull access denied for app, repository does not exist or may require 'docker "
               "login'",
               false, "the registry has no such image, or refuses it"},
           Row{"Get https://r/v2/: unauthorized: authentication required", false, "refuses access"},
           Row{"write /var/lib/docker/tmp/x: no space left on device", false,
               "no space is left on this host's disk"},
           Row{"dial tcp: lookup no.where: no such host", false, "name is unknown"},
           Row{"received unexpected HTTP status: 503 Service Unavailable", true,
               "the registry has an error"},
           Row{"net/http: TLS handshake timeout", true, "does not answer in time"},
           Row{"received unexpected HTTP status: 504 Gateway Timeout", true, "does not answer"},
           Row{"error parsing HTTP 429 response body: Too Many Requests", true, "limits"},
           Row{"filesystem layer verification failed for digest sha256:0123", true,
               "a layer did not arrive whole"},
           Row{"read tcp 10.0.0.1:51034->10.0.0.2:443: read: connection reset by peer", true,
               "the connection to the registry broke"},
           Row{"no matching manifest for linux/arm64/v8 in the manifest list entries", false,
               "not built for this machine's platform"},
           Row{"Get https://r/v2/: no basic auth credentials", false, "refuses access"},
           Row{"dial tcp: lookup r on 10.0.0.2:53: server misbehaving", true, "the name server"},
           Row{"error response: 403 Forbidden", false, "refuses access"},
       }) {
    INFO(row.message);
    const PullFailure failure = explain_pull_failure("app:v9", "localhost:5000", row.message);
    CHECK(failure.transient == row.transient);
    CHECK(failure.what.find(row.meaning) != std::string::npos);
    CHECK(failure.what.find(row.message) != std::string::npos);
    CHECK_FALSE(failure.hint.empty());
  }
}

TEST_CASE("Failed pull with an unknown message keeps it and is final") {
  const PullFailure failure = explain_pull_failure("app:v9", "r", "the moon is full");
  CHECK_FALSE(failure.transient);
  CHECK(failure.what == "pull app:v9: the moon is full");
  CHECK_FALSE(explain_pull_failure("app:v9", "r:5030", "r:5030 has sha256:4295035024").transient);
}

}  // namespace
}  // namespace bluegreen
