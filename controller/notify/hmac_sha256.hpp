// HMAC-SHA256 (RFC 2104, FIPS 180-4), for the signature of a webhook.
//
// Our own, because every library that has it would be a NEEDED entry beyond glibc's, which
// controller/abi_test.sh refuses; checked against RFC 4231's and FIPS' vectors. Pure; for a message
// of a few kilobytes, so nothing here is fast. It compares nothing: who verifies is elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bluegreen {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view message);
Sha256 hmac_sha256(std::string_view key, std::string_view message);
std::string hex(const Sha256& digest);

}  // namespace bluegreen
