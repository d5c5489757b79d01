// The second part of the telemetry file (shm/telemetry_detail.hpp) as telemetry_file.hpp shows it:
// health, the prober, figures and events. A file without that part, or with one that this version
// does not know, has none of these; so has an application whose place the file does not reach to.
#include <algorithm>
#include <memory>

#include "controller/regions/telemetry_file.hpp"
#include "controller/regions/telemetry_look.hpp"
#include "shm/clock.hpp"

namespace bluegreen {
namespace {

using shm::kDetailOffset;
using std::chrono::milliseconds;

// A copy of a shared structure, filled by pread: zero at first.
template <typename Shared>
std::unique_ptr<Shared> copy_of(const Look& look, std::uint64_t offset) {
  auto copy = std::make_unique<Shared>();
  std::memset(static_cast<void*>(copy.get()), 0, sizeof(Shared));
  return look.read(offset, copy.get(), sizeof(Shared)) ? std::move(copy) : nullptr;
}

// The header, when it is one that this version reads; `apps`: how many places the file has.
std::unique_ptr<shm::DetailHeader> header_of(const Look& look, std::uint32_t& apps) {
  shm::RegionHeader region{};
  if (!look.ok() || !look.header(region)) {
    return nullptr;
  }
  auto header = copy_of<shm::DetailHeader>(look, kDetailOffset);
  if (header == nullptr || look.size() < shm::detail_file_size(0)) {
    return nullptr;
  }
  const std::uint64_t none = shm::detail_file_size(0);
  // With no application's place in it the part is there all the same: events and the lease.
  if (shm::apps_with_detail(*header, region.id, none + sizeof(shm::AppDetail)) == 0) {
    return nullptr;
  }
  apps = shm::apps_with_detail(*header, region.id, look.size());
  return header;
}

std::uint64_t record_offset(std::uint32_t app, std::uint32_t color, std::uint32_t place) {
  return shm::app_detail_offset(app) + offsetof(shm::AppDetail, health) +
         (std::uint64_t{color} * shm::kMaxEndpoints + place) * sizeof(shm::HealthRecord);
}

Prober prober_of(const Look& look, const shm::DetailHeader& header) {
  // Relaxed in all of these pairs with nobody: it is a private copy.
  const shm::LeaseHolder holder =
      shm::lease_holder(header.lease.holder.load(std::memory_order_relaxed));
  Prober prober;
  prober.epoch = holder.epoch;
  SlotHead head{};
  if (holder.slot >= shm::kMaxSlots || look.life(holder.slot) == shm::SlotLife::kFree ||
      !look.head(holder.slot, head)) {
    return prober;
  }
  prober.has_lease = true;
  prober.pid = head.pid;
  const std::uint64_t renewed =
      header.lease.renewed_ns[holder.epoch & 1].load(std::memory_order_relaxed);
  const std::uint64_t now = shm::clock_ns(CLOCK_BOOTTIME);
  if (renewed < now) {
    prober.renewed_ago = milliseconds((now - renewed) / 1'000'000);
  }
  return prober;
}

EndpointHealth health_at(const Look& look, std::uint64_t offset, std::uint64_t tag) {
  // A writer may be at work between the word and its detail: then the next look finds both.
  constexpr int kLooks = 3;
  EndpointHealth health;
  for (int i = 0; i < kLooks; ++i) {
    const auto record = copy_of<shm::HealthRecord>(look, offset);
    // Relaxed pairs with nobody: it is a private copy.
    if (record == nullptr ||
        shm::unpack_health(record->word.load(std::memory_order_relaxed)).tag != tag) {
      return {};
    }
    health.known = true;
    health.health = shm::health_of(*record, tag);
    shm::HealthDetail detail{};
    if (shm::read_detail(*record, tag, detail)) {
      health.since_unix_ns = detail.since_unix_ns;
      health.checked_unix_ns = detail.checked_unix_ns;
      health.probes = detail.probes;
      health.failures = detail.failures;
      health.latency_us = detail.latency_us;
      health.status = detail.status;
      health.last_error = shm::text_of(detail.last_error);
      break;
    }
  }
  return health;
}

// Whether the holder of this epoch has taken over, or made, a record of the application.
bool has_record_of_epoch(const Look& look, std::uint32_t app, std::uint32_t epoch) {
  for (std::uint32_t color = 0; color < 2; ++color) {
    for (std::uint32_t place = 0; place < shm::kMaxEndpoints; ++place) {
      std::uint64_t word = 0;
      if (!look.read(record_offset(app, color, place), &word, sizeof(word))) {
        return false;
      }
      const shm::HealthState state = shm::unpack_health(word);
      if (state.tag != 0 && state.epoch == (epoch & shm::kEpochMask)) {
        return true;
      }
    }
  }
  return false;
}

void add(std::uint64_t& sum, const std::atomic<std::uint64_t>& figure) {
  // Relaxed pairs with nobody: it is a private copy.
  sum += figure.load(std::memory_order_relaxed);
}

void add(LatencyFigures& sum, const shm::Distribution& part) {
  sum.buckets.resize(shm::kBuckets);
  add(sum.sum_us, part.sum_us);
  for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
    add(sum.buckets[i], part.buckets[i]);
    add(sum.count, part.buckets[i]);
  }
}

void add(DetailFigures& sum, const shm::ColorDetail& part) {
  add(sum.connect_errors, part.connect_errors);
  add(sum.timeouts, part.timeouts);
  add(sum.other_errors, part.other_errors);
  add(sum.retries, part.retries);
  add(sum.bytes_in, part.bytes_in);
  add(sum.bytes_out, part.bytes_out);
  add(sum.connect, part.connect);
  add(sum.first_byte, part.first_byte);
  add(sum.total, part.total);
}

}  // namespace

std::uint64_t LatencyFigures::quantile_us(std::uint32_t per_mille) const {
  return buckets.empty() ? 0 : shm::quantile_us(buckets.data(), count, per_mille);
}

ProbeView TelemetryFile::probes(const std::string& app, Color color,
                                const shm::EndpointTable& table) {
  ProbeView view;
  const std::uint32_t count = std::min(table.count, shm::kMaxEndpoints);
  view.endpoints.resize(count);
  const Look look(path_);
  if (!look.ok()) {
    view.reason = "telemetry cannot be read: " + look.why();
    return view;
  }
  std::uint32_t apps = 0;
  const auto header = header_of(look, apps);
  const auto index = look.app_index(app);
  if (header == nullptr || !index || *index >= apps) {
    view.reason = index && *index == shm::kMaxApps
                      ? path_ + ": NGINX has no upstream with `bluegreen " + app + "`"
                      : path_ + ": this NGINX keeps no health";
    return view;
  }
  view.readable = true;
  view.prober = prober_of(look, *header);
  view.probed = view.prober.epoch != 0 && has_record_of_epoch(look, *index, view.prober.epoch);
  for (std::uint32_t i = 0; i < count; ++i) {
    view.endpoints[i] =
        health_at(look, record_offset(*index, static_cast<std::uint32_t>(shm::index_of(color)), i),
                  shm::tag_of(table.endpoints[i], table.generation));
  }
  return view;
}

Prober TelemetryFile::prober() const {
  const Look look(path_);
  std::uint32_t apps = 0;
  const auto header = header_of(look, apps);
  return header == nullptr ? Prober{} : prober_of(look, *header);
}

std::optional<DetailFigures> TelemetryFile::detail_figures(const std::string& app,
                                                           Color color) const {
  const Look look(path_);
  std::uint32_t apps = 0;
  const auto header = header_of(look, apps);
  const auto index = header == nullptr ? std::nullopt : look.app_index(app);
  if (!index || *index >= apps) {
    return std::nullopt;
  }
  DetailFigures figures;
  for (std::uint32_t slot = 0; slot < shm::kMaxSlots; ++slot) {
    SlotHead head{};
    if (!look.head(slot, head)) {
      return std::nullopt;
    }
    if (head.state == 0) {
      continue;  // never used: a hole in the file
    }
    const auto part =
        copy_of<shm::ColorDetail>(look, shm::slot_detail_offset(*index, slot) +
                                            shm::index_of(color) * sizeof(shm::ColorDetail));
    if (part == nullptr) {
      return std::nullopt;
    }
    add(figures, *part);
  }
  return figures;
}

Result<TrafficFigures> TelemetryFile::traffic(const std::string& app, Color color) {
  TrafficFigures traffic;
  {
    // The id first: what is read behind it from a file that has just replaced this one counts as a
    // break at the next look, not as a part of this one.
    const Look look(path_);
    shm::RegionHeader header{};
    if (!look.ok()) {
      return fail(ExitCode::kUsage, look.why());
    }
    if (!look.header(header)) {
      return fail(ExitCode::kUsage, look.cut());
    }
    traffic.telemetry_id = header.id;
  }
  auto counts = figures(app, color);
  if (!counts) {
    return tl::unexpected(counts.error());
  }
  traffic.counts = *counts;
  if (auto detail = detail_figures(app, color)) {
    traffic.latency = std::move(detail->first_byte.buckets);
    traffic.latency.resize(shm::kBuckets);
  }
  return traffic;
}

std::vector<shm::Event> TelemetryFile::events(std::size_t count) const {
  std::vector<shm::Event> found;
  const Look look(path_);
  std::uint32_t apps = 0;
  if (header_of(look, apps) == nullptr) {
    return found;
  }
  const auto ring =
      copy_of<shm::EventRing>(look, kDetailOffset + offsetof(shm::TelemetryDetail, events));
  if (ring == nullptr) {
    return found;
  }
  // Relaxed pairs with nobody: it is a private copy.
  const std::uint64_t last = ring->count.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(last, shm::kEvents); ++i) {
    shm::Event event{};
    if (found.size() < count && shm::read_event(*ring, last - i, event)) {
      found.push_back(event);
    }
  }
  return found;
}

std::string TelemetryFile::app_name(std::uint32_t index) const {
  const Look look(path_);
  shm::AppName name{};
  if (index >= shm::kMaxApps || !look.ok() ||
      !look.read(offsetof(shm::TelemetryRegion, names) + index * sizeof(shm::AppName), &name,
                 sizeof(name)) ||
      name.state != 1) {
    return {};
  }
  return std::string(shm::text_of(name.name));
}

}  // namespace bluegreen
