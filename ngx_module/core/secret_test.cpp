// Secret files and the comparison.
#include "ngx_module/core/secret.hpp"

#include <catch2/catch.hpp>
#include <string>

using bluegreen::core::Secrets;

namespace {

const std::string kOld(32, 'a');
const std::string kNew = "new-secret-0123456789+/=ABCDEFGHIJKLMNOP";

}  // namespace

TEST_CASE("Secrets: one line opens by exactly that line, ends of lines do not count") {
  for (const char* end : {"", "\n", "\r\n", "\n\n"}) {
    Secrets secrets;
    CHECK(secrets.load(kOld + end) == nullptr);
    CHECK(secrets.match(kOld));
    CHECK_FALSE(secrets.match(kOld + "a"));
    CHECK_FALSE(secrets.match(kOld.substr(1)));
    CHECK_FALSE(secrets.match(std::string(32, 'b')));
    CHECK_FALSE(secrets.match(kOld.substr(1) + "b"));
    CHECK_FALSE(secrets.match(""));
  }
}

TEST_CASE("Secrets: two lines are the old and the new secret") {
  Secrets secrets;
  CHECK(secrets.load(kOld + "\r\n" + kNew + "\n") == nullptr);
  CHECK(secrets.count() == 2);
  CHECK(secrets.match(kOld));
  CHECK(secrets.match(kNew));
  CHECK_FALSE(secrets.match(kOld + "\n" + kNew));
  CHECK(secrets.load(kNew) == nullptr);
  CHECK_FALSE(secrets.match(kOld));
}

TEST_CASE("Secrets: a file that is short, long, empty or odd opens nothing") {
  const std::string long_one(513, 'x');
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string(31, 'a'), kOld + "\n" + "short",
        kOld + "\n\n" + kNew, kOld + "\n" + kNew + "\n" + kNew, long_one, kOld + " ", kOld + ";",
        kOld + std::string(1, '\0'), "\"" + kOld + "\"", kOld + "\xC3\xA9"}) {
    Secrets secrets;
    REQUIRE(secrets.load(kOld) == nullptr);
    INFO(text);
    CHECK(secrets.load(text) != nullptr);
    CHECK_FALSE(secrets.any());
    CHECK_FALSE(secrets.match(kOld));
    CHECK_FALSE(secrets.match(text));
  }
}

TEST_CASE("Secrets: a padded value does not match what stands in front of the padding") {
  Secrets secrets;
  REQUIRE(secrets.load(kOld) == nullptr);
  CHECK_FALSE(secrets.match(kOld + std::string(480, '\0')));
  CHECK_FALSE(secrets.match(std::string(512, '\0')));
}
