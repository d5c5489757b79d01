// See print.hpp.
#include "tools/shm_dump/print.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace bluegreen::shm_dump {

namespace {

void add_flag(std::string& flags, bool set, const char* name) {
  if (set) {
    flags += flags.empty() ? name : std::string(" ") + name;
  }
}

std::string flag_text(const shm::Route& route) {
  std::string flags;
  add_flag(flags, route.has(shm::kFallback), "fallback");
  add_flag(flags, route.has(shm::kHold), "hold");
  add_flag(flags, route.has(shm::kMaintenance), "maintenance");
  add_flag(flags, route.has(shm::kClosedBlue), "closed-blue");
  add_flag(flags, route.has(shm::kClosedGreen), "closed-green");
  add_flag(flags, (route.flags & ~shm::kKnownFlags) != 0, "UNKNOWN");
  return flags.empty() ? "none" : flags;
}

// Which of route_word.hpp's conditions the word breaks; empty when it counts.
std::string word_fault(std::uint64_t word, std::uint64_t region_id, std::uint32_t app) {
  if (word == 0) {
    return "the word is 0";
  }
  const std::uint64_t payload = word & ((std::uint64_t{1} << 45) - 1);
  const std::uint64_t check = shm::route_check(payload, region_id, app);
  if ((word >> 45) != check) {
    return "check expected " + hex(check, 5) + ", found " + hex(word >> 45, 5);
  }
  const shm::Route route = shm::unpack_route(word);
  if (route.weight > shm::kMaxWeight) {
    return "weight " + std::to_string(route.weight) + " is over 10000";
  }
  if ((route.flags & ~shm::kKnownFlags) != 0) {
    return "unknown flags";
  }
  return route.closed(route.active) ? "the active color is closed" : "";
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7E || c == '"' || c == '\\') {
      out += "\\x" + hex(byte, 2);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string hex(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof(text), "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

std::string time_text(std::uint64_t unix_ns) {
  if (unix_ns == 0) {
    return "never";
  }
  const auto seconds = static_cast<time_t>(unix_ns / 1'000'000'000);
  tm broken{};
  char day[40];
  char text[64];
  if (::gmtime_r(&seconds, &broken) == nullptr ||
      ::strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &broken) == 0) {
    return std::to_string(unix_ns) + " ns";
  }
  std::snprintf(text, sizeof(text), "%s.%03uZ", day,
                static_cast<unsigned>(unix_ns / 1'000'000 % 1000));
  return text;
}

bool print_header(std::ostream& out, const shm::RegionHeader& header, std::uint64_t file_size,
                  const shm::RegionKind& kind) {
  const shm::OpenError error = shm::validate_header(header, file_size, kind);
  const bool good = error.result == shm::OpenResult::kOk;
  char text[200];
  out << kind.name << " region, " << file_size << " bytes\n";
  out << "header: " << (good ? "" : "DAMAGED: ") << shm::describe(error, kind, text, sizeof(text))
      << "\n";
  out << "  magic " << quoted({header.magic, sizeof(header.magic)}) << ", ABI " << header.abi
      << ", header " << header.header_size << ", file " << header.file_size << "\n";
  out << "  id " << hex(header.id, 16) << ", created " << time_text(header.created_unix_ns) << "\n";
  out << "  applications " << header.apps << ", stride " << header.stride << ", entries "
      << header.entries << ", checksum " << hex(header.crc, 8) << "\n";
  return good;
}

std::string describe_word(std::uint64_t word, std::uint64_t region_id, std::uint32_t app) {
  const shm::Route route = shm::unpack_route(word);
  const std::string fault = word_fault(word, region_id, app);
  char weight[16];
  std::snprintf(weight, sizeof(weight), "%u.%02u", route.weight / 100U, route.weight % 100U);
  std::string text = hex(word, 16) + (fault.empty() ? " valid" : " INVALID (" + fault + ")");
  text += ": active " + std::string(name_of(route.active)) + ", other's weight " + weight +
          " %, flags " + flag_text(route) + ", tables blue " + std::to_string(route.table[0]) +
          " green " + std::to_string(route.table[1]) + ", generation ..." +
          std::to_string(route.generation);
  return text;
}

bool print_table(std::ostream& out, const std::string& indent, const std::string& title,
                 const shm::EndpointTable& table) {
  const std::uint32_t crc = shm::table_crc(table);
  const bool good = shm::table_is_valid(table);
  out << indent << title << ": ";
  if (table.crc != crc) {
    out << "CRC BAD (expected " << hex(crc, 8) << ", found " << hex(table.crc, 8) << ")";
  } else {
    out << "crc ok" << (good ? "" : ", BAD CONTENT");
  }
  if (table.generation == 0 && good) {
    out << ", not published\n";
    return good;
  }
  out << ", generation " << table.generation << ", published " << time_text(table.published_unix_ns)
      << "\n";
  out << indent << "  release " << quoted(shm::text_of(table.release)) << ", deploy "
      << quoted(shm::text_of(table.deploy_id)) << ", image " << quoted(shm::text_of(table.image))
      << "\n";
  if (table.count > shm::kMaxEndpoints) {
    out << indent << "  COUNT " << table.count << " is over " << shm::kMaxEndpoints << "\n";
  }
  const std::uint32_t count = std::min(table.count, shm::kMaxEndpoints);
  for (std::uint32_t i = 0; i < count; ++i) {
    const shm::Endpoint& endpoint = table.endpoints[i];
    char text[shm::kEndpointTextSize];
    const bool valid = shm::format_endpoint(endpoint, text) != 0;
    out << indent << "  endpoint " << i << ": ";
    if (valid) {
      out << quoted(text);
    } else {
      out << "INVALID (family " << static_cast<unsigned>(endpoint.family) << ", port "
          << endpoint.port << ")";
    }
    out << ", weight " << endpoint.weight << ", identity " << hex(endpoint.identity, 16) << "\n";
  }
  return good;
}

}  // namespace bluegreen::shm_dump
