// What both dumps print alike: headers, route words, endpoint tables, text that may be damaged.
//
// Nothing here trusts its argument: counts are cut at their limits, text at its field and made
// printable. Pure but for the stream.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "shm/endpoint.hpp"
#include "shm/region_file.hpp"
#include "shm/route_word.hpp"

namespace bluegreen::shm_dump {

// In quotes, with every byte that is not printable ASCII as \xNN.
std::string quoted(std::string_view text);
std::string hex(std::uint64_t value, int digits);
// RFC 3339 in UTC; "never" for 0.
std::string time_text(std::uint64_t unix_ns);

// True when the header is the one of a whole file of this kind.
bool print_header(std::ostream& out, const shm::RegionHeader& header, std::uint64_t file_size,
                  const shm::RegionKind& kind);

// "blue active, weight ...", then whether it counts and, if not, why not.
std::string describe_word(std::uint64_t word, std::uint64_t region_id, std::uint32_t app);

// The lines of one endpoint table. True when it counts.
bool print_table(std::ostream& out, const std::string& indent, const std::string& title,
                 const shm::EndpointTable& table);

}  // namespace bluegreen::shm_dump
