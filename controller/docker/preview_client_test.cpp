// Unit tests of preview_client.hpp: the rules of the secret's file, and that the secret is in no
// text. What it sends to NGINX is tested against NGINX (tests/integration/smoke_test.py).
#include "controller/docker/preview_client.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace bluegreen {
namespace {

class SecretFile {
 public:
  SecretFile() {
    char name[] = "/tmp/preview_client_test.XXXXXX";
    ::close(::mkstemp(name));
    path = name;
  }
  explicit SecretFile(const std::string& text) : SecretFile() { std::ofstream(path) << text; }
  ~SecretFile() { ::unlink(path.c_str()); }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  std::string path;
};

TEST_CASE("preview's secret is the first line of its file") {
  const std::string secret(32, 'a');
  CHECK(read_preview_secret("/nowhere/secret").error().what.find("no such file") !=
        std::string::npos);
  for (const std::string& text :
       {secret, secret + "\n", secret + "\r\n", secret + "\n" + std::string(40, 'b') + "\n"}) {
    const SecretFile file(text);
    const auto found = read_preview_secret(file.path);
    REQUIRE(found);
    CHECK(*found == secret);
  }
}

TEST_CASE("secret that NGINX would not take is told without a byte of it") {
  const std::string texts[] = {"",
                               "\n" + std::string(40, 'q'),
                               std::string(31, 'q'),
                               std::string(513, 'q'),
                               std::string(32, 'q') + ";",
                               std::string(32, 'q') + " q"};
  for (const std::string& text : texts) {
    const SecretFile file(text);
    PreviewClient client({"http://127.0.0.1:1", "", "X-P", file.path});
    const auto ready = client.ready();
    REQUIRE_FALSE(ready);
    CHECK(ready.error().code == ExitCode::kPreflight);
    CHECK(ready.error().what.find(file.path) != std::string::npos);
    CHECK(ready.error().what.find("qq") == std::string::npos);
  }
}

TEST_CASE("request that nobody answers is told without the secret") {
  const std::string secret(32, 'q');
  const SecretFile file(secret);
  PreviewClient client({"http://127.0.0.1:1", "", "X-P", file.path});
  REQUIRE(client.ready());
  const auto answer = client.ask({"GET", "/", {}, std::chrono::seconds(5)});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ExitCode::kGate);
  CHECK(answer.error().what.find("no answer from http://127.0.0.1:1: ") == 0);
  CHECK(answer.error().what.find("qq") == std::string::npos);
}

}  // namespace
}  // namespace bluegreen
