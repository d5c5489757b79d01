// Telemetry regions as nobody writes them, through everything that a worker reads of one: names,
// mirrors, sums for the status document, whom a slot says that it obeys.
//
// Promised: no input makes a worker read or write beside its memory; a mirror is accepted only when
// its word and both of its tables are valid.
#include "ngx_module/core/accepted_route.hpp"
#include "ngx_module/core/figures.hpp"
#include "ngx_module/core/render_json.hpp"
#include "shm/sample_regions.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using namespace bluegreen::fuzz;

namespace {

enum Option : std::uint8_t { kFixMirrors = 1, kFixTables = 2, kFixHeader = 4, kFixWord = 8 };

// By turns: header and names, the mirror that is in use, the first slots, anywhere.
std::size_t place(std::uint32_t position, std::size_t& limit) {
  using shm::TelemetryRegion;
  struct Part {
    std::size_t begin;
    std::size_t end;
  };
  constexpr std::size_t kMirrors = offsetof(TelemetryRegion, mirrors);
  constexpr std::size_t kSlots = offsetof(TelemetryRegion, slots);
  constexpr Part kParts[] = {
      {0, kMirrors},
      {kMirrors + sizeof(shm::Mirror), kMirrors + sizeof(shm::Mirror) + sizeof(shm::MirrorCopy)},
      {kSlots, kSlots + 2 * sizeof(shm::Slot)},
      {0, sizeof(TelemetryRegion)}};
  const Part& part = kParts[position % 4];
  limit = part.end;
  return part.begin + (position / 4) % (part.end - part.begin);
}

std::uint32_t mirror_crc(const shm::MirrorCopy& copy) {
  return shm::crc32c(reinterpret_cast<const char*>(&copy) + sizeof(copy.crc),
                     sizeof(copy) - sizeof(copy.crc));
}

void fix(shm::TelemetryRegion& region, Patched& patched, std::uint8_t options) {
  const auto put = [&region, &patched](const void* field, auto value) {
    patched.put(static_cast<std::size_t>(static_cast<const char*>(field) -
                                         reinterpret_cast<const char*>(&region)),
                &value, sizeof(value));
  };
  shm::MirrorCopy& copy = region.mirrors[1].copies[0];
  for (shm::EndpointTable& table : copy.tables) {
    if ((options & kFixTables) != 0) {
      put(&table.crc, shm::table_crc(table));
    }
  }
  if ((options & kFixWord) != 0) {
    const std::uint64_t payload = copy.word & ((std::uint64_t{1} << 45) - 1);
    put(&copy.word,
        payload | (shm::route_check(payload, copy.control_id, copy.control_index) << 45));
  }
  if ((options & kFixMirrors) != 0) {
    put(&copy.crc, mirror_crc(copy));
  }
  if ((options & kFixHeader) != 0) {
    put(&region.header.crc, shm::header_crc(region.header));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto control = shm::sample::make_control();
  static const auto region = shm::sample::make_telemetry(*control);
  Input input(data, size);
  const auto options = input.take<std::uint8_t>();
  Patched patched(region.get());
  patched.put_all(input, place);
  fix(*region, patched, options);

  const shm::OpenError error =
      shm::validate_header(region->header, sizeof(shm::TelemetryRegion), shm::kTelemetryKind);
  char text[256];
  expect(std::strlen(shm::describe(error, shm::kTelemetryKind, text, sizeof(text))) < sizeof(text));

  const std::uint32_t app = shm::find_name(region->names, "app");
  expect(app <= shm::kMaxApps);
  const core::LiveSlots slots = core::live_slots(*region, shm::sample::kControlId,
                                                 [](std::uint32_t slot) { return slot % 3 != 1; });
  expect(slots.workers.attached <= slots.workers.live && slots.workers.live <= shm::kMaxSlots);
  const core::AppFigures sums = core::sum_slots(*region, app, slots);
  core::StatusHead head;
  head.telemetry_path = shm::text_of(region->names[1].name);
  head.live_workers = slots.workers.live;
  static char document[64 * 1024];
  core::BoundedWriter out(document, sizeof(document));
  core::render_head(out, head);
  out.number(sums.color[0].in_flight);
  expect(!out.overflowed());

  const shm::MirrorCopy& copy = region->mirrors[1].copies[0];
  core::AcceptedRoute accepted;
  accepted.attach(nullptr, shm::kMaxApps, true);
  const bool whole = (options & kFixMirrors) != 0 || copy.crc == mirror_crc(copy);
  if (whole && accepted.accept_mirror(copy)) {
    const shm::AppSnapshot& snapshot = accepted.snapshot();
    expect(shm::route_is_sound(snapshot.route));
    for (const shm::EndpointTable& table : snapshot.tables) {
      expect(table.count <= shm::kMaxEndpoints);
      for (std::uint32_t i = 0; i < table.count; ++i) {
        expect(shm::endpoint_is_valid(table.endpoints[i]));
      }
    }
    expect(accepted.admits(shm::Color::kBlue, core::Admission::kFirst));
  }
  return 0;
}
