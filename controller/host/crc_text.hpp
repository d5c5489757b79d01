// The CRC-32C of a text as eight hexadecimal digits: what stands beside each record of a journal
// (journal.hpp) and beside a contract's mark (contract_mark.hpp). Pure.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "shm/checksum.hpp"

namespace bluegreen {

inline constexpr std::size_t kCrcDigits = 8;

inline std::string crc_text(std::string_view bytes) {
  char text[kCrcDigits + 1] = {};
  std::snprintf(text, sizeof(text), "%08x", shm::crc32c(bytes.data(), bytes.size()));
  return text;
}

}  // namespace bluegreen
