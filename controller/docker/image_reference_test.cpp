// How names of images are taken apart, and which are none.
#include "controller/docker/image_reference.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST_CASE("Image reference has registry, repository, tag and digest") {
  struct Row {
    std::string text, registry, repository, tag, digest;
  };
  for (const Row& row : {
           Row{"app", "docker.io", "app", "latest", ""},
           Row{"library/app:v1", "docker.io", "app", "v1", ""},
           Row{"docker.io/library/app", "docker.io", "app", "latest", ""},
           Row{"index.docker.io/team/app:1", "docker.io", "team/app", "1", ""},
           Row{"team/app:v1.2_3-x", "docker.io", "team/app", "v1.2_3-x", ""},
           Row{"localhost:5000/app:v1", "localhost:5000", "localhost:5000/app", "v1", ""},
           Row{"localhost/app", "localhost", "localhost/app", "latest", ""},
           Row{"ghcr.io/a/b/c@" + kDigest, "ghcr.io", "ghcr.io/a/b/c", "", kDigest},
           Row{"r.io:1/app:v1@" + kDigest, "r.io:1", "r.io:1/app", "v1", kDigest},
       }) {
    INFO(row.text);
    const auto reference = parse_image_reference(row.text);
    REQUIRE(reference);
    CHECK(reference->registry == row.registry);
    CHECK(reference->repository == row.repository);
    CHECK(reference->tag == row.tag);
    CHECK(reference->digest == row.digest);
  }
}

TEST_CASE("Text that is no image reference is refused and quoted") {
  for (const std::string& text :
       {std::string(), std::string("App"), std::string("a b"), std::string("app:"),
        std::string("app:-x"), std::string("app@sha256:12"), std::string("/app"),
        std::string("app/"), std::string("a//b"), std::string("app:v1?x=1"),
        std::string(256, 'a')}) {
    INFO(text);
    const auto reference = parse_image_reference(text);
    REQUIRE_FALSE(reference);
    CHECK(reference.error().starts_with("'" + text + "' is no image reference: expected "));
  }
}

}  // namespace
}  // namespace bluegreen
