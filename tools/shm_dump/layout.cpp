// The layout page, docs/formats/regions.md: offsets and sizes as this build's structs have them.
// See dump.hpp.
#include <cstddef>

#include "shm/control_region.hpp"
#include "shm/telemetry_detail.hpp"
#include "shm/telemetry_region.hpp"
#include "tools/shm_dump/dump.hpp"

namespace bluegreen::shm_dump {

namespace {

using namespace bluegreen::shm;

void row(std::ostream& out, std::size_t offset, std::size_t size, const char* field) {
  out << "| " << offset << " | " << size << " | " << field << " |\n";
}

#define FIELD(type, member) row(out, offsetof(type, member), sizeof(type::member), #member)

void heading(std::ostream& out, const char* name, std::size_t size, const char* what) {
  out << "\n## " << name << ", " << size << " bytes\n"
      << what << "\n\n"
      << "| offset | bytes | field |\n| ---: | ---: | --- |\n";
}

void print_limits(std::ostream& out) {
  out << "# Region files, ABI " << kAbiVersion << "\n\n"
      << "Printed by `shm_dump --layout` from the structs in `shm/`; a test compares. What the\n"
      << "fields mean, who writes them and in which order: the first lines of each header there.\n"
      << "All numbers are little-endian.\n\n"
      << "| limit | |\n| --- | ---: |\n"
      << "| applications | " << kMaxApps << " |\n| endpoints a color | " << kMaxEndpoints
      << " |\n| worker slots | " << kMaxSlots << " |\n| weight of a color, basis points | "
      << kMaxWeight << " |\n| weight of an endpoint | " << kMaxEndpointWeight << " |\n";
}

// Which part of a route a bit of the word belongs to, asked of unpack_route itself.
const char* bit_owner(unsigned bit) {
  const Route none = unpack_route(0);
  const Route route = unpack_route(std::uint64_t{1} << bit);
  if (route.active != none.active) {
    return "active color: 0 blue, 1 green";
  }
  if (route.weight != 0) {
    return "weight of the other color, basis points";
  }
  switch (route.flags) {
    case 0:
      break;
    case kFallback:
      return "flag: fallback";
    case kHold:
      return "flag: hold";
    case kMaintenance:
      return "flag: maintenance";
    case kClosedBlue:
      return "flag: blue closed";
    case kClosedGreen:
      return "flag: green closed";
    default:
      return "zero";
  }
  if (route.table[0] != 0) {
    return "blue's table that counts";
  }
  if (route.table[1] != 0) {
    return "green's table that counts";
  }
  return route.generation != 0 ? "generation, modulo 2^20"
                               : "check over the other bits, the region's id and the application";
}

void print_word(std::ostream& out) {
  out << "\n## Route word, 64 bits\n`shm/route_word.hpp`\n\n"
      << "| bits | field |\n| ---: | --- |\n";
  for (unsigned first = 0; first < 64;) {
    const std::string owner = bit_owner(first);
    unsigned last = first;
    while (last + 1 < 64 && bit_owner(last + 1) == owner) {
      ++last;
    }
    out << "| " << first;
    if (last != first) {
      out << "-" << last;
    }
    out << " | " << owner << " |\n";
    first = last + 1;
  }
}

void print_shared(std::ostream& out) {
  heading(out, "RegionHeader", sizeof(RegionHeader),
          "`shm/region_file.hpp`; at the beginning of both kinds");
  FIELD(RegionHeader, magic);
  FIELD(RegionHeader, abi);
  FIELD(RegionHeader, header_size);
  FIELD(RegionHeader, file_size);
  FIELD(RegionHeader, id);
  FIELD(RegionHeader, created_unix_ns);
  FIELD(RegionHeader, apps);
  FIELD(RegionHeader, stride);
  FIELD(RegionHeader, entries);
  FIELD(RegionHeader, zero);
  FIELD(RegionHeader, crc);
  heading(out, "Endpoint", sizeof(Endpoint), "`shm/endpoint.hpp`");
  FIELD(Endpoint, family);
  FIELD(Endpoint, zero);
  FIELD(Endpoint, port);
  FIELD(Endpoint, weight);
  FIELD(Endpoint, identity);
  FIELD(Endpoint, address);
  heading(out, "EndpointTable", sizeof(EndpointTable), "`shm/endpoint.hpp`");
  FIELD(EndpointTable, crc);
  FIELD(EndpointTable, count);
  FIELD(EndpointTable, generation);
  FIELD(EndpointTable, published_unix_ns);
  FIELD(EndpointTable, zero1);
  FIELD(EndpointTable, release);
  FIELD(EndpointTable, deploy_id);
  FIELD(EndpointTable, image);
  FIELD(EndpointTable, zero2);
  FIELD(EndpointTable, endpoints);
  FIELD(EndpointTable, zero3);
}

void print_control(std::ostream& out) {
  heading(out, "ControlRegion", sizeof(ControlRegion), "`shm/control_region.hpp`; the whole file");
  FIELD(ControlRegion, header);
  FIELD(ControlRegion, zero);
  FIELD(ControlRegion, apps);
  heading(out, "AppRecord", sizeof(AppRecord), "one of the control region's `apps`");
  FIELD(AppRecord, state);
  FIELD(AppRecord, name_crc);
  FIELD(AppRecord, name);
  FIELD(AppRecord, zero1);
  FIELD(AppRecord, word);
  FIELD(AppRecord, generation);
  FIELD(AppRecord, flipped_unix_ns);
  FIELD(AppRecord, zero2);
  FIELD(AppRecord, holds);
  FIELD(AppRecord, zero3);
  FIELD(AppRecord, tables);
  heading(out, "HoldTicket", sizeof(HoldTicket), "one of an AppRecord's `holds`");
  FIELD(HoldTicket, deadline_boottime_ns);
  FIELD(HoldTicket, boot);
  FIELD(HoldTicket, crc);
  FIELD(HoldTicket, zero);
}

void print_telemetry(std::ostream& out) {
  heading(out, "TelemetryRegion", sizeof(TelemetryRegion),
          "`shm/telemetry_region.hpp`; the first part of the file");
  FIELD(TelemetryRegion, header);
  FIELD(TelemetryRegion, zero1);
  FIELD(TelemetryRegion, slotless);
  FIELD(TelemetryRegion, zero2);
  FIELD(TelemetryRegion, names);
  FIELD(TelemetryRegion, mirrors);
  FIELD(TelemetryRegion, slots);
  heading(out, "AppName", sizeof(AppName), "one of the telemetry region's `names`");
  FIELD(AppName, state);
  FIELD(AppName, zero1);
  FIELD(AppName, name);
  FIELD(AppName, zero2);
  heading(out, "MirrorCopy", sizeof(MirrorCopy), "one of the two copies in each of `mirrors`");
  FIELD(MirrorCopy, crc);
  FIELD(MirrorCopy, control_index);
  FIELD(MirrorCopy, control_id);
  FIELD(MirrorCopy, word);
  FIELD(MirrorCopy, generation);
  FIELD(MirrorCopy, accepted_unix_ns);
  FIELD(MirrorCopy, zero);
  FIELD(MirrorCopy, tables);
  heading(out, "Slot", sizeof(Slot),
          "one of the telemetry region's `slots`; its first byte is the lock");
  FIELD(Slot, state);
  FIELD(Slot, pid);
  FIELD(Slot, taken_unix_ns);
  FIELD(Slot, attached_control);
  FIELD(Slot, cycle);
  FIELD(Slot, control_state);
  FIELD(Slot, owners);
  FIELD(Slot, zero);
  FIELD(Slot, counters);
  heading(out, "Counters", sizeof(Counters), "a Slot's `counters[application][color]`");
  FIELD(Counters, in_flight);
  FIELD(Counters, requests);
  FIELD(Counters, responses);
  FIELD(Counters, no_response);
  FIELD(Counters, tries);
  FIELD(Counters, failures);
  FIELD(Counters, withdrawn);
  FIELD(Counters, waiting);
  FIELD(Counters, weighted);
  FIELD(Counters, previews);
  FIELD(Counters, fallbacks);
  FIELD(Counters, refused);
}

void print_detail(std::ostream& out) {
  heading(out, "TelemetryDetail", sizeof(TelemetryDetail),
          "`shm/telemetry_detail.hpp`; behind the TelemetryRegion in the file, which ends behind "
          "any of "
          "the `apps`");
  FIELD(TelemetryDetail, header);
  FIELD(TelemetryDetail, events);
  FIELD(TelemetryDetail, zero);
  FIELD(TelemetryDetail, apps);
  heading(out, "DetailHeader", sizeof(DetailHeader), "the TelemetryDetail's `header`");
  FIELD(DetailHeader, magic);
  FIELD(DetailHeader, version);
  FIELD(DetailHeader, app_size);
  FIELD(DetailHeader, slot_size);
  FIELD(DetailHeader, buckets);
  FIELD(DetailHeader, region_id);
  FIELD(DetailHeader, zero1);
  FIELD(DetailHeader, crc);
  FIELD(DetailHeader, lease);
  FIELD(DetailHeader, told_control);
  FIELD(DetailHeader, zero2);
  heading(out, "ProberLease", sizeof(ProberLease), "`shm/prober_lease.hpp`");
  FIELD(ProberLease, holder);
  FIELD(ProberLease, renewed_ns);
  FIELD(ProberLease, zero);
  heading(out, "EventRing", sizeof(EventRing), "`shm/event_ring.hpp`");
  FIELD(EventRing, count);
  FIELD(EventRing, zero);
  FIELD(EventRing, events);
  heading(out, "Event", sizeof(Event), "one of the EventRing's `events`");
  FIELD(Event, number);
  FIELD(Event, unix_ns);
  FIELD(Event, kind);
  FIELD(Event, pid);
  FIELD(Event, app);
  FIELD(Event, color);
  FIELD(Event, before);
  FIELD(Event, after);
  FIELD(Event, weight);
  FIELD(Event, generation);
  FIELD(Event, endpoint);
  FIELD(Event, text);
  FIELD(Event, crc);
  heading(out, "AppDetail", sizeof(AppDetail), "one of the TelemetryDetail's `apps`");
  FIELD(AppDetail, health_moves);
  FIELD(AppDetail, told_word);
  FIELD(AppDetail, zero1);
  FIELD(AppDetail, health);
  FIELD(AppDetail, slots);
  heading(out, "HealthRecord", sizeof(HealthRecord),
          "`shm/health_word.hpp`; an AppDetail's `health[color][place in the table]`");
  FIELD(HealthRecord, word);
  FIELD(HealthRecord, zero);
  FIELD(HealthRecord, details);
  heading(out, "HealthDetail", sizeof(HealthDetail), "one of the two in a HealthRecord");
  FIELD(HealthDetail, crc);
  FIELD(HealthDetail, epoch);
  FIELD(HealthDetail, tag);
  FIELD(HealthDetail, since_unix_ns);
  FIELD(HealthDetail, checked_unix_ns);
  FIELD(HealthDetail, probes);
  FIELD(HealthDetail, failures);
  FIELD(HealthDetail, latency_us);
  FIELD(HealthDetail, status);
  FIELD(HealthDetail, health);
  FIELD(HealthDetail, zero1);
  FIELD(HealthDetail, successes_in_row);
  FIELD(HealthDetail, failures_in_row);
  FIELD(HealthDetail, zero2);
  FIELD(HealthDetail, last_error);
  heading(out, "SlotDetail", sizeof(SlotDetail), "an AppDetail's `slots[worker slot]`");
  FIELD(SlotDetail, colors);
  FIELD(SlotDetail, zero);
  heading(out, "ColorDetail", sizeof(ColorDetail), "a SlotDetail's `colors[color]`");
  FIELD(ColorDetail, connect_errors);
  FIELD(ColorDetail, timeouts);
  FIELD(ColorDetail, other_errors);
  FIELD(ColorDetail, retries);
  FIELD(ColorDetail, bytes_in);
  FIELD(ColorDetail, bytes_out);
  FIELD(ColorDetail, zero);
  FIELD(ColorDetail, connect);
  FIELD(ColorDetail, first_byte);
  FIELD(ColorDetail, total);
  heading(out, "Distribution", sizeof(Distribution),
          "`shm/histogram.hpp`; a ColorDetail's `total`");
  FIELD(Distribution, sum_us);
  FIELD(Distribution, buckets);
}

#undef FIELD

}  // namespace

void print_layout(std::ostream& out) {
  print_limits(out);
  print_word(out);
  print_shared(out);
  print_control(out);
  print_telemetry(out);
  print_detail(out);
}

}  // namespace bluegreen::shm_dump
