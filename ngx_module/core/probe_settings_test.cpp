// bluegreen_probe's parameters: see probe_settings.hpp.
#include "ngx_module/core/probe_settings.hpp"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>

using namespace bluegreen::core;

namespace {

const char* parse_all(std::initializer_list<const char*> texts, ProbeSettings& out) {
  for (const char* const text : texts) {
    if (const char* const expected = parse_probe(text, out)) {
      return expected;
    }
  }
  return finish_probe(out);
}

std::string complaint(std::initializer_list<const char*> texts) {
  ProbeSettings settings;
  const char* const expected = parse_all(texts, settings);
  return expected != nullptr ? expected : "";
}

}  // namespace

TEST_CASE("Probe settings take the contract's example") {
  ProbeSettings settings;
  CHECK(
      parse_all({"uri=/health", "interval=1s", "timeout=1s", "rise=2", "fall=3", "status=200-299"},
                settings) == nullptr);
  CHECK(settings.uri == "/health");
  CHECK(settings.rules.fast_interval_ms == 250);
  CHECK(status_fits(settings, 299));
  CHECK_FALSE(status_fits(settings, 302));
}

TEST_CASE("Probe settings have defaults for all that is not said") {
  ProbeSettings settings;
  CHECK(finish_probe(settings) == nullptr);
  CHECK(settings.uri == "/");
  CHECK(settings.timeout_ms == 1000);
  CHECK(settings.keepalive);
  CHECK_FALSE(settings.refuse_when_all_down);
  CHECK(status_fits(settings, 200));
  CHECK(status_fits(settings, 399));
  CHECK_FALSE(status_fits(settings, 199));
  CHECK_FALSE(status_fits(settings, 400));
}

TEST_CASE("Probe settings take every parameter up to its limits") {
  ProbeSettings settings;
  CHECK(parse_all({"uri=/a?b=c", "host=app.test:8080", "method=POST", "header=X-A: 1",
                   "header=X-B:", "interval=1h", "fast_interval=10ms", "timeout=500ms", "rise=1000",
                   "fall=1", "status=100,200-204,599", "body=~^o=k$", "ssl=on", "ssl_name=a.test",
                   "ssl_verify=/etc/ca.pem", "port=65535", "keepalive=off", "slow=499ms",
                   "when_all_down=refuse"},
                  settings) == nullptr);
  CHECK(settings.uri == "/a?b=c");
  CHECK(settings.header_count == 2);
  CHECK(settings.headers[1] == "X-B:");
  CHECK(settings.body_is_pattern);
  CHECK(settings.body == "^o=k$");
  CHECK(status_fits(settings, 204));
  CHECK_FALSE(status_fits(settings, 205));
  CHECK(settings.ssl_verify == "/etc/ca.pem");
  CHECK(settings.port == 65535);
  CHECK_FALSE(settings.keepalive);
  CHECK(settings.refuse_when_all_down);
  ProbeSettings grpc;
  CHECK(parse_all({"type=grpc", "service=shop.Cart", "ssl=on", "ssl_verify=off"}, grpc) == nullptr);
  CHECK(grpc.ssl_verify.empty());
  ProbeSettings tcp;
  CHECK(parse_all({"type=tcp", "interval=100ms"}, tcp) == nullptr);
  CHECK(tcp.rules.fast_interval_ms == 100);
}

TEST_CASE("Probe settings refuse a bad value with the text that names what was expected") {
  const std::string text = GENERATE(
      "uri=", "uri=x", "uri=/a b", "uri=/a\r\nX: y", "uri=/\xc3\xa9", "host=", "host=a b",
      "host=a/b", "method=get", "method=CONNECT", "header=X", "header=: x", "header=X Y: z",
      "header=X: a\nb", "header=Host: a", "header=content-length: 3", "interval=9ms", "interval=2h",
      "fast_interval=0", "timeout=", "rise=0", "rise=1001", "fall=-1", "status=", "status=99",
      "status=600", "status=300-200", "status=200,", "status=200-", "status=2x", "body=", "body=~",
      "type=udp", "service=", "ssl=yes", "ssl_name=", "ssl_verify=", "port=0", "port=65536",
      "keepalive=1", "slow=0", "when_all_down=drop");
  ProbeSettings settings;
  const char* const expected = parse_probe(text, settings);
  CAPTURE(text);
  REQUIRE(expected != nullptr);
  CHECK(std::string(expected).find(text.substr(0, text.find('=') + 1)) == 1);
}

TEST_CASE("Probe settings refuse unknown, repeated and too many parameters") {
  CHECK(complaint({"url=/"}).find("\"when_all_down=\"") != std::string::npos);
  CHECK(complaint({""}).find("\"uri=\"") == 0);
  CHECK(complaint({"uri"}).find("\"uri=\"") == 0);
  CHECK(complaint({"rise=1", "rise=1"}) == "each parameter but header once");
  CHECK(complaint({"status=1xx"}) ==
        "\"status=\" with up to 8 codes or ranges from 100 to 599, like 200-399,404");
  CHECK_FALSE(complaint({"status=200,201,202,203,204,205,206,207,208"}).empty());
  CHECK(complaint({"header=a:", "header=b:", "header=c:", "header=d:", "header=e:", "header=f:",
                   "header=g:", "header=h:"})
            .empty());
  CHECK_FALSE(complaint({"header=a:", "header=b:", "header=c:", "header=d:", "header=e:",
                         "header=f:", "header=g:", "header=h:", "header=i:"})
                  .empty());
}

TEST_CASE("Probe settings refuse parameters that do not go together") {
  CHECK(complaint({"type=tcp", "uri=/"}) ==
        "\"uri\", \"method\", \"header\", \"status\" and \"body\" only with \"type=http\"");
  CHECK(complaint({"service=a"}) == "\"service\" only with \"type=grpc\"");
  CHECK(complaint({"type=tcp", "host=a"}) == "\"host\" with \"type=tcp\" only beside \"ssl=on\"");
  CHECK(complaint({"type=tcp", "ssl=on", "host=a"}).empty());
  CHECK(complaint({"type=grpc", "keepalive=on"}) == "\"keepalive\" only with \"type=http\"");
  CHECK(complaint({"ssl_name=a"}) == "\"ssl_name\" and \"ssl_verify\" only with \"ssl=on\"");
  CHECK(complaint({"method=HEAD", "body=a"}) ==
        "no \"body\" with \"method=HEAD\", whose answer has none");
  CHECK(complaint({"slow=1s"}) == "\"slow\" shorter than \"timeout\"");
  CHECK(complaint({"interval=1s", "fast_interval=2s"}) ==
        "\"fast_interval\" not longer than \"interval\"");
}
