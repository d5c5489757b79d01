// One endpoint of a color, and the table of them that a color's releases are published in.
//
// Endpoint, 128 bytes:
//     0  u8   family: 0 none, 1 IPv4, 2 IPv6, 3 unix socket
//     1  u8   zero
//     2  u16  port, host byte order, 1 to 65535; 0 for unix
//     4  u32  weight, 1 to 65535
//     8  u64  identity: differs between a container and its successor at the same address, so
//             that neither a cached connection nor a health state is inherited
//    16  112  address: 4 or 16 bytes in network order, or a NUL-padded path of at most 107 bytes
//
// EndpointTable, 5120 bytes:
//     0  u32  CRC-32C over bytes 4 to 5119
//     4  u32  count, 0 to 32
//     8  u64  generation in which this table was published
//    16  u64  time of that, Unix nanoseconds
//    24  u64  zero
//    32  128  release: what people call this version
//   160   64  deploy id
//   224  256  image (reference with digest, or the word given to the process runtime)
//   480   32  zero
//   512 4096  32 endpoints
//  4608  512  zero
//
// A table counts when its CRC is right, its count is at most 32 and each of the first `count`
// endpoints is valid. Writer: fill the table that the route word does not name, flush it, then
// store the word (control_region.hpp). Readers copy it whole, see copy_table there.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "shm/checksum.hpp"
#include "shm/limits.hpp"
#include "shm/text_field.hpp"

namespace bluegreen::shm {

enum class Family : std::uint8_t { kNone = 0, kIpv4 = 1, kIpv6 = 2, kUnix = 3 };

struct Endpoint {
  Family family;
  std::uint8_t zero;
  std::uint16_t port;
  std::uint32_t weight;
  std::uint64_t identity;
  char address[112];
};
static_assert(sizeof(Endpoint) == 128 && offsetof(Endpoint, identity) == 8 &&
              offsetof(Endpoint, address) == 16);

struct EndpointTable {
  std::uint32_t crc;
  std::uint32_t count;
  std::uint64_t generation;
  std::uint64_t published_unix_ns;
  std::uint64_t zero1;
  char release[kReleaseSize];
  char deploy_id[kDeployIdSize];
  char image[kImageSize];
  char zero2[32];
  Endpoint endpoints[kMaxEndpoints];
  char zero3[512];
};
static_assert(sizeof(EndpointTable) == 5120 && offsetof(EndpointTable, release) == 32 &&
              offsetof(EndpointTable, deploy_id) == 160 && offsetof(EndpointTable, image) == 224 &&
              offsetof(EndpointTable, endpoints) == 512);

// The longest text of an endpoint: "unix:" and a path, or "[IPv6]:port".
inline constexpr std::size_t kEndpointTextSize = 120;

inline bool endpoint_is_valid(const Endpoint& endpoint) noexcept {
  if (endpoint.weight == 0 || endpoint.weight > kMaxEndpointWeight) {
    return false;
  }
  switch (endpoint.family) {
    case Family::kIpv4:
    case Family::kIpv6:
      return endpoint.port != 0;
    case Family::kUnix: {
      const std::size_t length = text_of(endpoint.address).size();
      return length > 0 && length < sizeof(sockaddr_un::sun_path);
    }
    case Family::kNone:
      break;
  }
  return false;
}

// Reads "127.0.0.1:8001", "[::1]:8001" or "unix:/run/app.sock"; weight 1, identity 0.
// False when the text is none of these; names are not resolved.
inline bool parse_endpoint(std::string_view text, Endpoint& out) noexcept {
  Endpoint endpoint{};
  endpoint.weight = 1;
  constexpr std::string_view kUnix = "unix:";
  if (text.substr(0, kUnix.size()) == kUnix) {
    const std::string_view path = text.substr(kUnix.size());
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path) ||
        path.find('\0') != std::string_view::npos) {
      return false;
    }
    endpoint.family = Family::kUnix;
    std::memcpy(endpoint.address, path.data(), path.size());
    out = endpoint;
    return true;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return false;
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  std::uint32_t number = 0;
  if (port.empty() || port.size() > 5) {
    return false;
  }
  for (const char c : port) {
    if (c < '0' || c > '9') {
      return false;
    }
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (number == 0 || number > 65535) {
    return false;
  }
  endpoint.port = static_cast<std::uint16_t>(number);
  int family = AF_INET;
  endpoint.family = Family::kIpv4;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    family = AF_INET6;
    endpoint.family = Family::kIpv6;
    host = host.substr(1, host.size() - 2);
  }
  char buffer[INET6_ADDRSTRLEN + 1] = {};
  if (host.size() >= sizeof(buffer) || host.find('\0') != std::string_view::npos) {
    return false;
  }
  std::memcpy(buffer, host.data(), host.size());
  if (::inet_pton(family, buffer, endpoint.address) != 1) {
    return false;
  }
  out = endpoint;
  return true;
}

namespace detail {

inline char* put_number(char* out, unsigned value) noexcept {
  char digits[10];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count != 0) {
    *out++ = digits[--count];
  }
  return out;
}

// Without printf: a status document has thousands of them.
inline char* format_ipv4(const Endpoint& endpoint, char* out) noexcept {
  for (std::size_t i = 0; i < 4; ++i) {
    out = put_number(out, static_cast<unsigned char>(endpoint.address[i]));
    *out++ = i < 3 ? '.' : ':';
  }
  out = put_number(out, endpoint.port);
  *out = '\0';
  return out;
}

}  // namespace detail

// The reverse; NUL-terminated, returns the length, 0 for an endpoint that is not valid.
inline std::size_t format_endpoint(const Endpoint& endpoint,
                                   char (&out)[kEndpointTextSize]) noexcept {
  out[0] = '\0';
  if (!endpoint_is_valid(endpoint)) {
    return 0;
  }
  int length = 0;
  if (endpoint.family == Family::kUnix) {
    const std::string_view path = text_of(endpoint.address);
    length =
        std::snprintf(out, sizeof(out), "unix:%.*s", static_cast<int>(path.size()), path.data());
  } else if (endpoint.family == Family::kIpv4) {
    length = static_cast<int>(detail::format_ipv4(endpoint, out) - out);
  } else {
    char host[INET6_ADDRSTRLEN] = {};
    if (::inet_ntop(AF_INET6, endpoint.address, host, sizeof(host)) == nullptr) {
      return 0;
    }
    length = std::snprintf(out, sizeof(out), "[%s]:%u", host, static_cast<unsigned>(endpoint.port));
  }
  return length > 0 ? static_cast<std::size_t>(length) : 0;
}

// Fills a socket address for connect(2). NGINX's keepalive cache compares these bytes, so the
// endpoint's identity goes where the kernel does not look: sin_zero; the flow label of IPv6, which
// counts only with IPV6_FLOWINFO_SEND, and its scope, which counts for link-local addresses only;
// behind the NUL of a unix path, as much of it as there is room for (all of it up to 99 bytes). So
// a successor at the same address does not get its predecessor's connections.
// Returns the length, 0 for an endpoint that is not valid.
inline socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out) noexcept {
  std::memset(&out, 0, sizeof(out));
  if (!endpoint_is_valid(endpoint)) {
    return 0;
  }
  if (endpoint.family == Family::kIpv4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.address, sizeof(address.sin_addr));
    static_assert(sizeof(address.sin_zero) == sizeof(endpoint.identity));
    std::memcpy(address.sin_zero, &endpoint.identity, sizeof(endpoint.identity));
    std::memcpy(&out, &address, sizeof(address));
    return sizeof(address);
  }
  if (endpoint.family == Family::kIpv6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    const std::uint64_t mixed = mix64(endpoint.identity);
    address.sin6_flowinfo = htonl(static_cast<std::uint32_t>(mixed) & 0xFFFFFU);
    std::memcpy(&address.sin6_addr, endpoint.address, sizeof(address.sin6_addr));
    if (!IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) {
      address.sin6_scope_id = static_cast<std::uint32_t>(mixed >> 32);
    }
    std::memcpy(&out, &address, sizeof(address));
    return sizeof(address);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string_view path = text_of(endpoint.address);
  std::memcpy(address.sun_path, path.data(), path.size());
  std::size_t used = path.size() + 1;
  const std::size_t room = sizeof(address.sun_path) - used;
  const std::uint64_t mixed = mix64(endpoint.identity);
  const std::size_t fits = room < sizeof(mixed) ? room : sizeof(mixed);
  std::memcpy(address.sun_path + used, &mixed, fits);
  used += fits;
  std::memcpy(&out, &address, sizeof(address));
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + used);
}

inline std::uint32_t table_crc(const EndpointTable& table) noexcept {
  return crc32c(reinterpret_cast<const char*>(&table) + sizeof(table.crc),
                sizeof(table) - sizeof(table.crc));
}

inline bool table_is_valid(const EndpointTable& table) noexcept {
  if (table.count > kMaxEndpoints || table.crc != table_crc(table)) {
    return false;
  }
  for (std::uint32_t i = 0; i < table.count; ++i) {
    if (!endpoint_is_valid(table.endpoints[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace bluegreen::shm
