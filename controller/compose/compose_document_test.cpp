// What a switch needs of the two services; the pytest beside this has the messages on real Compose.
#include "controller/compose/compose_document.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

const ProbeImages kProbes{{"probe/blue", "probe/green"}};

ComposeConfig config() {
  ComposeConfig out;
  out.file = "compose.yaml";
  return out;
}

std::string service(const std::string& image, const std::string& network = "front") {
  return R"({"image": ")" + image +
         R"(", "restart": "unless-stopped", "healthcheck": {"test": ["CMD", "true"]},
            "networks": {")" +
         network + R"(": {"ipv4_address": "10.0.0.1"}, "back": null}})";
}

std::string document(const std::string& blue, const std::string& green) {
  return R"({"services": {"app_blue": )" + blue + R"(, "app_green": )" + green + "}}";
}

TEST_CASE("Two good services pass, with and without the network's name") {
  const std::string good = document(service("probe/blue"), service("probe/green"));
  CHECK(check_services(good, config(), kProbes));
  ComposeConfig with_network = config();
  with_network.network = "staging_front";
  CHECK(check_services(good, with_network, kProbes));
  with_network.network = "back";
  const auto checked = check_services(good, with_network, kProbes);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().find("there is no ipv4_address in network back") != std::string::npos);
}

TEST_CASE("Services with crossed variables are refused") {
  const auto checked =
      check_services(document(service("probe/green"), service("probe/blue")), config(), kProbes);
  REQUIRE_FALSE(checked);
  CHECK(checked.error() ==
        "compose.yaml: service app_blue: image is the other color's variable, expected "
        "${APP_BLUE_IMAGE:?} and nothing else");
}

TEST_CASE("Several replicas have no fixed address, one has") {
  const auto with = [](const std::string& members) {
    const std::string head = R"({"image": "probe/blue", "restart": "unless-stopped",
      "healthcheck": {"test": ["CMD", "true"]}, )";
    return check_services(document(head + members + "}", service("probe/green")), config(),
                          kProbes);
  };
  CHECK(with(R"("deploy": {"replicas": 2}, "networks": {"front": null})"));
  CHECK(with(R"("scale": 2, "networks": {"front": null})"));
  CHECK_FALSE(with(R"("deploy": {"replicas": 1}, "networks": {"front": null})"));
  CHECK_FALSE(with(R"("deploy": {"replicas": 0}, "networks": {"front": null})"));
  const auto both =
      with(R"("deploy": {"replicas": 2}, "networks": {"front": {"ipv4_address": "10.0.0.1"}})");
  REQUIRE_FALSE(both);
  CHECK(both.error().find("2 replicas and one fixed address") != std::string::npos);
}

TEST_CASE("Document that is none is refused") {
  CHECK_FALSE(check_services("", config(), kProbes));
  CHECK_FALSE(check_services("{\"services\": 1}", config(), kProbes));
  CHECK_FALSE(service_image("{}", "app_blue"));
}

TEST_CASE("Compose version is compared by numbers") {
  CHECK(compose_version_is_at_least("2.26.1-4", 2, 20));
  CHECK(compose_version_is_at_least("v2.20.0", 2, 20));
  CHECK(compose_version_is_at_least("5.0.1", 2, 20));
  CHECK_FALSE(compose_version_is_at_least("2.9.0", 2, 20));
  CHECK_FALSE(compose_version_is_at_least("1.29.2", 2, 20));
  CHECK_FALSE(compose_version_is_at_least("dev", 2, 20));
}

}  // namespace
}  // namespace bluegreen
