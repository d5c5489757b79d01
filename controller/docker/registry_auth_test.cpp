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

TEST_CASE("Registry's own credential helper goes before the common one") {
  constexpr const char* kHelpers = R"({"credsStore": "secretservice", "credHelpers": {
    "public.ecr.aws": "ecr-login", "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com": "ecr"}})";
  CHECK(credential_helper_of(kHelpers, "public.ecr.aws") == "ecr-login");
  CHECK(credential_helper_of(kHelpers, "123456789012.dkr.ecr.eu-west-1.amazonaws.com") == "ecr");
  CHECK(credential_helper_of(kHelpers, "docker.io") == "secretservice");
  CHECK(credential_helper_of(kConfig, "helper.io").empty());
  CHECK(credential_helper_of("no json", "helper.io").empty());
}

TEST_CASE("Credential helper's answer is a password, or a token under its own name") {
  CHECK(auth_from_helper(R"({"Username": "me", "Secret": "x"})", "docker.io").header ==
        "eyJwYXNzd29yZCI6IngiLCJzZXJ2ZXJhZGRyZXNzIjoiZG9ja2VyLmlvIiwidXNlcm5hbWUiOiJtZSJ9");
  CHECK(auth_from_helper(R"({"Username": "<token>", "Secret": "T"})", "token.io").header ==
        "eyJpZGVudGl0eXRva2VuIjoiVCIsInNlcnZlcmFkZHJlc3MiOiJ0b2tlbi5pbyJ9");
  CHECK_FALSE(auth_from_helper("please log in", "token.io").trouble.empty());
}

}  // namespace
}  // namespace bluegreen
