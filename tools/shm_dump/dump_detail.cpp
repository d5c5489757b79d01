// The dump of the telemetry file's second part (shm/telemetry_detail.hpp): who probes, what the
// probes found, how many events there were. See dump.hpp.
#include "shm/telemetry_detail.hpp"
#include "tools/shm_dump/dump.hpp"
#include "tools/shm_dump/print.hpp"

namespace bluegreen::shm_dump {

namespace {

using shm::TelemetryDetail;

constexpr std::uint64_t kHealthOffset = offsetof(shm::AppDetail, health);

// What has another CRC is being written, or is damaged: the word counts all the same.
void print_record(std::ostream& out, const shm::HealthRecord& record, const char* color,
                  std::uint32_t place) {
  const shm::HealthState state = shm::unpack_health(record.word.load());
  out << "  " << color << " " << place << ": " << shm::name_of(state.health) << ", epoch "
      << state.epoch << ", tag " << hex(state.tag, 11);
  shm::HealthDetail detail;
  if (shm::read_detail(record, state.tag, detail)) {
    out << ", since " << time_text(detail.since_unix_ns) << ", checked "
        << time_text(detail.checked_unix_ns) << ", probes " << detail.probes << ", failures "
        << detail.failures << ", status " << detail.status << ", " << detail.latency_us << " us, "
        << quoted(shm::text_of(detail.last_error)) << "\n";
  } else {
    out << ", its detail does not count\n";
  }
}

void print_health(std::ostream& out, const RegionImage& image, std::uint32_t app) {
  const std::uint64_t base = shm::app_detail_offset(app);
  std::uint64_t moves = 0;
  image.read(base + offsetof(shm::AppDetail, health_moves), &moves, sizeof(moves));
  out << "health of application " << app << ": moves " << moves << "\n";
  for (std::uint32_t i = 0; i < 2 * shm::kMaxEndpoints; ++i) {
    const auto record =
        image.copy<shm::HealthRecord>(base + kHealthOffset + i * sizeof(shm::HealthRecord));
    if (!record.zero()) {
      print_record(out, *record, i < shm::kMaxEndpoints ? "blue" : "green", i % shm::kMaxEndpoints);
    }
  }
}

void print_lease(std::ostream& out, const shm::DetailHeader& header) {
  const shm::LeaseHolder holder = shm::lease_holder(header.lease.holder.load());
  out << "prober: ";
  if (holder.slot < shm::kMaxSlots) {
    out << "slot " << holder.slot;
  } else {
    out << "nobody";
  }
  out << ", epoch " << holder.epoch << "\n";
}

}  // namespace

void dump_detail(std::ostream& out, const RegionImage& image, std::uint64_t region_id) {
  const auto header = image.copy<shm::DetailHeader>(shm::kDetailOffset);
  const std::uint32_t apps = shm::apps_with_detail(*header, region_id, image.size());
  if (apps == 0) {
    out << "no second part: no health, no events, no latencies\n";
    return;
  }
  std::uint64_t events = 0;
  image.read(shm::kDetailOffset + offsetof(TelemetryDetail, events), &events, sizeof(events));
  print_lease(out, *header);
  out << "events: " << events << "\n";
  for (std::uint32_t app = 0; app < apps; ++app) {
    print_health(out, image, app);
  }
}

}  // namespace bluegreen::shm_dump
