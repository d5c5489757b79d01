// A cookie is found, or not, as NGINX's own variable finds it: see cookie_value.hpp.
#include "ngx_module/core/cookie_value.hpp"

#include <catch2/catch.hpp>
#include <string>

using bluegreen::core::cookie_value;

namespace {

std::string found(std::string_view header, std::string_view name = "uid") {
  std::string_view value;
  return cookie_value(header, name, value) ? std::string("=").append(value) : "none";
}

}  // namespace

TEST_CASE("Cookie's value is found in any place, without case, and with spaces") {
  CHECK(found("uid=7") == "=7");
  CHECK(found("a=1; uid=7") == "=7");
  CHECK(found("a=1;uid=7;b=2") == "=7");
  CHECK(found("a=1; UiD  =  7; uid=8") == "=7");
  CHECK(found("uid=7,8; b=2") == "=7,8");
  CHECK(found("uid=") == "=");
  CHECK(found("uid=;b=2") == "=");
  CHECK(found("uid =") == "=");
  CHECK(found("uid;uid=7") == "=7");
}

TEST_CASE("Cookie of another name is none, however near it comes") {
  const std::string header =
      GENERATE(as<std::string>{}, "", "u", "uid", "uid ", "uid7", "uids=7", "xuid=7", "a=uid=7",
               ";", ",", "a=1, uid=7; b=2", "a=1;", "a=1; ", "a=\"uid=7\"", "=7", "ui=7; id=7");
  CHECK(found(header) == "none");
}
