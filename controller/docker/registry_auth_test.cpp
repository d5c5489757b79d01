// Credentials from Docker's config.json, in the shape of the Engine's header.
#include "controller/docker/registry_auth.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

// {"auths": ...} with "user:pa:ss" in base64.
constexpr const char* kConfig = R"({"auths": {
  "localhost:5000": {"auth": "dXNlcjpwYTpzcw=="},
  "https://index.docker.io/v1/": {"username": "me", "password": "x"},
  "token.io": {"identitytoken": "T"},
  "helper.io": {}}})";

TEST_CASE("Credentials of a registry are found under each of its names") {
  // {"password":"pa:ss","serveraddress":"localhost:5000","username":"user"}
  CHECK(registry_auth_from(kConfig, "localhost:5000") ==
        "eyJwYXNzd29yZCI6InBhOnNzIiwic2VydmVyYWRkcmVzcyI6ImxvY2FsaG9zdDo1MDAwIiwidXNlcm5hbWUiOiJ1"
        "c2VyIn0=");
  // {"password":"x","serveraddress":"docker.io","username":"me"}
  CHECK(registry_auth_from(kConfig, "docker.io") ==
        "eyJwYXNzd29yZCI6IngiLCJzZXJ2ZXJhZGRyZXNzIjoiZG9ja2VyLmlvIiwidXNlcm5hbWUiOiJtZSJ9");
  // {"identitytoken":"T","serveraddress":"token.io"}
  CHECK(registry_auth_from(kConfig, "token.io") ==
        "eyJpZGVudGl0eXRva2VuIjoiVCIsInNlcnZlcmFkZHJlc3MiOiJ0b2tlbi5pbyJ9");
}

TEST_CASE("Registry without credentials is asked anonymously") {
  const std::string anonymous = "e30=";
  CHECK(registry_auth_from(kConfig, "helper.io") == anonymous);
  CHECK(registry_auth_from(kConfig, "other.io") == anonymous);
  CHECK(registry_auth_from("no json", "localhost:5000") == anonymous);
  CHECK(registry_auth_from("{\"auths\": []}", "localhost:5000") == anonymous);
}

}  // namespace
}  // namespace bluegreen
