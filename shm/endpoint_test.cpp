// Endpoints: text there and back, what is refused, identities in socket addresses, tables.
#include "shm/endpoint.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

namespace {

std::string there_and_back(std::string_view text) {
  Endpoint endpoint{};
  if (!parse_endpoint(text, endpoint)) {
    return "refused";
  }
  char out[kEndpointTextSize];
  const std::size_t length = format_endpoint(endpoint, out);
  return {out, length};
}

std::string bytes_of(const Endpoint& endpoint) {
  sockaddr_storage address;
  const socklen_t length = to_sockaddr(endpoint, address);
  return {reinterpret_cast<const char*>(&address), length};
}

}  // namespace

TEST_CASE("Endpoint text of every family is read and written back") {
  const std::string longest = "unix:/" + std::string(106, 'a');
  for (const std::string text : {"127.0.0.1:8001", "0.0.0.0:1", "255.255.255.255:65535",
                                 "[::1]:8001", "[2001:db8::a:b]:443", "unix:/run/a.sock"}) {
    CHECK(there_and_back(text) == text);
  }
  CHECK(there_and_back(longest) == longest);
}

TEST_CASE("Endpoint text that is none is refused and changes nothing") {
  for (const std::string text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:100000",
        "127.0.0.1:+1", "127.0.0.1: 1", ":80", "localhost:80", "::1:80", "[::1]", "[::1]x:80",
        "[127.0.0.1]:80", "[]:80", "1.2.3:80", "unix:", "127.0.0.1:8001x"}) {
    INFO(text);
    CHECK(there_and_back(text) == "refused");
  }
  CHECK(there_and_back("unix:/" + std::string(107, 'a')) == "refused");
  CHECK(there_and_back(std::string(200, '1') + ":80") == "refused");
  CHECK(there_and_back(std::string_view("127.0.0.1\0x:80", 14)) == "refused");
  CHECK(there_and_back(std::string_view("unix:/a\0b", 9)) == "refused");
  Endpoint endpoint{};
  endpoint.weight = 77;
  CHECK_FALSE(parse_endpoint("no", endpoint));
  CHECK(endpoint.weight == 77);
}

TEST_CASE("Endpoint is valid only with a weight, and a port or a path") {
  Endpoint endpoint{};
  CHECK_FALSE(endpoint_is_valid(endpoint));
  REQUIRE(parse_endpoint("127.0.0.1:80", endpoint));
  CHECK(endpoint_is_valid(endpoint));
  Endpoint bad = endpoint;
  bad.weight = 0;
  CHECK_FALSE(endpoint_is_valid(bad));
  bad.weight = kMaxEndpointWeight + 1;
  CHECK_FALSE(endpoint_is_valid(bad));
  bad = endpoint;
  bad.port = 0;
  CHECK_FALSE(endpoint_is_valid(bad));
  bad = endpoint;
  bad.family = static_cast<Family>(4);
  CHECK_FALSE(endpoint_is_valid(bad));
  REQUIRE(parse_endpoint("unix:/a", bad));
  std::memset(bad.address, 'a', sizeof(bad.address));  // no NUL in the whole field
  CHECK_FALSE(endpoint_is_valid(bad));
  sockaddr_storage address;
  CHECK(to_sockaddr(bad, address) == 0);
  char text[kEndpointTextSize];
  CHECK(format_endpoint(bad, text) == 0);
}

TEST_CASE("to_sockaddr differs by identity at the same address, and only then") {
  const std::string longest = "unix:/" + std::string(105, 'a');  // one byte is left
  for (const std::string& text :
       {std::string("127.0.0.1:80"), std::string("[::1]:80"), std::string("[fe80::1]:80"),
        std::string("unix:/run/app.sock"), longest}) {
    Endpoint first{};
    REQUIRE(parse_endpoint(text, first));
    first.identity = 1;
    Endpoint successor = first;
    CHECK(bytes_of(first) == bytes_of(successor));
    successor.identity = 2;
    CHECK(bytes_of(first) != bytes_of(successor));
  }
}

TEST_CASE("to_sockaddr of a unix path too long for an identity is still a whole path") {
  Endpoint endpoint{};
  REQUIRE(parse_endpoint("unix:/" + std::string(106, 'a'), endpoint));
  endpoint.identity = ~std::uint64_t{0};
  const std::string bytes = bytes_of(endpoint);
  CHECK(bytes.size() == sizeof(sockaddr_un));
  CHECK(bytes.back() == '\0');
}

TEST_CASE("The kernel connects to an address that carries an identity") {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    sample::TemporaryFolder folder;
    Endpoint endpoint{};
    const std::string text = family == AF_INET    ? "127.0.0.1:1"
                             : family == AF_INET6 ? "[::1]:1"
                                                  : "unix:" + folder.file("s");
    REQUIRE(parse_endpoint(text, endpoint));
    sockaddr_storage address;
    socklen_t length = to_sockaddr(endpoint, address);
    reinterpret_cast<sockaddr_in*>(&address)->sin_port =
        family == AF_UNIX ? reinterpret_cast<sockaddr_in*>(&address)->sin_port : 0;
    const int listener = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 &&
                         errno == EADDRNOTAVAIL)) {
      WARN("no address of family " << family << " here");
      ::close(listener);
      continue;
    }
    REQUIRE(::listen(listener, 1) == 0);
    if (family != AF_UNIX) {
      socklen_t size = sizeof(address);
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
      endpoint.port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
    }
    endpoint.identity = 0x0123456789ABCDEF;
    length = to_sockaddr(endpoint, address);
    const int client = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(::connect(client, reinterpret_cast<sockaddr*>(&address), length) == 0);
    ::close(client);
    ::close(listener);
  }
}

TEST_CASE("Endpoint table counts only with its CRC, its count and valid endpoints") {
  const EndpointTable good = sample::make_table(2, "v1", {"127.0.0.1:80", "127.0.0.1:81"});
  CHECK(table_is_valid(good));
  const auto with = [&good](auto change, bool seal) {
    EndpointTable table = good;
    change(table);
    if (seal) {
      table.crc = table_crc(table);
    }
    return table_is_valid(table);
  };
  CHECK_FALSE(with([](EndpointTable& t) { t.release[0] ^= 1; }, false));
  CHECK(with([](EndpointTable& t) { t.release[0] ^= 1; }, true));
  CHECK_FALSE(with([](EndpointTable& t) { t.zero3[511] = 1; }, false));
  CHECK_FALSE(with([](EndpointTable& t) { t.count = kMaxEndpoints + 1; }, true));
  CHECK_FALSE(with([](EndpointTable& t) { t.count = 3; }, true));  // the third is empty
  CHECK_FALSE(with([](EndpointTable& t) { t.endpoints[1].port = 0; }, true));
  CHECK(with([](EndpointTable& t) { t.count = 0; }, true));
  CHECK_FALSE(table_is_valid(EndpointTable{}));  // a page of zeroes
}
