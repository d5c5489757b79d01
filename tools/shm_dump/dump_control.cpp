// The dump of a control region, and the choice between the two kinds. See dump.hpp.
#include <algorithm>
#include <cstring>

#include "shm/control_region.hpp"
#include "shm/telemetry_region.hpp"
#include "tools/shm_dump/dump.hpp"
#include "tools/shm_dump/print.hpp"

namespace bluegreen::shm_dump {

namespace {

using shm::AppRecord;
using shm::ControlRegion;

void print_hold(std::ostream& out, unsigned which, const shm::HoldTicket& hold) {
  if (hold.deadline_boottime_ns == 0 && hold.crc == 0) {
    return;
  }
  const std::uint32_t crc = shm::ticket_crc(hold);
  out << "  hold ticket " << which << ": deadline " << hold.deadline_boottime_ns
      << " ns after boot ";
  for (const std::uint8_t byte : hold.boot.bytes) {
    out << hex(byte, 2);
  }
  out << (crc == hold.crc ? ", crc ok\n" : ", CRC BAD\n");
}

bool print_tables(std::ostream& out, const AppRecord& app, const shm::Route& route) {
  bool good = true;
  for (const shm::Color color : shm::kColors) {
    const std::size_t c = index_of(color);
    for (unsigned which = 0; which < 2; ++which) {
      const bool counts = route.table[c] == which;
      const std::string title = std::string(name_of(color)) + " table " + std::to_string(which) +
                                (counts ? " (counts)" : " (spare)");
      // A spare one may be half written: that is no damage.
      const bool whole = print_table(out, "  ", title, app.tables[c][which]);
      good = good && (whole || !counts);
    }
  }
  return good;
}

bool print_app(std::ostream& out, const AppRecord& app, std::uint32_t index,
               const shm::RegionHeader& header) {
  const std::uint32_t state = app.state.load();
  const std::uint32_t crc = shm::app_name_crc(app.name, index);
  out << "application " << index << " " << quoted(shm::text_of(app.name)) << ": state " << state
      << (state == 1 ? " live" : " not live");
  bool good = state == 1;
  if (app.name_crc == crc) {
    out << ", name's crc ok\n";
  } else {
    out << ", NAME'S CRC BAD (expected " << hex(crc, 8) << ", found " << hex(app.name_crc, 8)
        << ")\n";
    good = false;
  }
  const std::uint64_t word = app.word.load();
  const shm::Route route = shm::unpack_route(word);
  out << "  word " << describe_word(word, header.id, index) << "\n";
  out << "  generation " << shm::full_generation(route.generation, app.generation.load())
      << " (beside the word: " << app.generation.load() << "), last flip "
      << time_text(app.flipped_unix_ns.load()) << "\n";
  print_hold(out, 0, app.holds[0]);
  print_hold(out, 1, app.holds[1]);
  good = shm::route_is_valid(word, header.id, index) && good;
  return print_tables(out, app, route) && good;
}

}  // namespace

bool dump_control(std::ostream& out, const RegionImage& image) {
  const auto header = image.copy<shm::RegionHeader>(0);
  bool good = print_header(out, *header, image.size(), shm::kControlKind);
  std::uint32_t free = 0;
  for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
    const std::uint64_t offset = offsetof(ControlRegion, apps) + i * sizeof(AppRecord);
    const auto app = image.copy<AppRecord>(offset);
    if (app.present == 0) {
      out << "applications " << i << " to " << shm::kMaxApps - 1
          << " lie beyond the end of the file\n";
      return false;
    }
    if (!app.whole()) {
      out << "application " << i << ": only " << app.present << " of " << sizeof(AppRecord)
          << " bytes are in the file\n";
      good = false;
    }
    if (app.zero()) {
      ++free;
    } else {
      good = print_app(out, *app, i, *header) && good;
    }
  }
  out << "free records: " << free << "\n";
  return good;
}

int dump_file(std::ostream& out, std::ostream& errors, const std::string& path, Kind kind) {
  RegionImage image;
  if (const std::string error = image.open(path); !error.empty()) {
    errors << "shm_dump: " << path << ": " << error << "\n";
    return 2;
  }
  const auto header = image.copy<shm::RegionHeader>(0);
  const auto is = [&header](const shm::RegionKind& wanted) {
    return std::memcmp(header->magic, wanted.magic, sizeof(header->magic)) == 0;
  };
  if (kind == Kind::kControl || (kind == Kind::kByMagic && is(shm::kControlKind))) {
    return dump_control(out, image) ? 0 : 1;
  }
  if (kind == Kind::kTelemetry || (kind == Kind::kByMagic && is(shm::kTelemetryKind))) {
    return dump_telemetry(out, image) ? 0 : 1;
  }
  errors << "shm_dump: " << path << ": " << image.size() << " bytes that begin with "
         << quoted({header->magic, std::min<std::size_t>(image.size(), sizeof(header->magic))})
         << ", expected " << quoted({shm::kControlKind.magic, 8}) << " or "
         << quoted({shm::kTelemetryKind.magic, 8})
         << "; --kind control or --kind telemetry reads it all the same\n";
  return 2;
}

}  // namespace bluegreen::shm_dump
