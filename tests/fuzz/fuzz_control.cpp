// Control regions as nobody writes them, through everything that a worker does with one: the
// header's validation, finding an application, accepting a route, admitting, endpoints, holds, the
// status document. Checks may be set right after the damage, so that what stands behind them is
// reached too.
//
// Promised: no input makes a worker read or write beside its memory; what is accepted is valid;
// what is rejected leaves the last accepted route and tables as they were.
#include "ngx_module/core/accepted_route.hpp"
#include "ngx_module/core/choose.hpp"
#include "ngx_module/core/render_json.hpp"
#include "shm/sample_regions.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using namespace bluegreen::fuzz;

namespace {

enum Option : std::uint8_t {
  kFixHeader = 1,
  kFixNames = 2,
  kFixTables = 4,
  kFixWord = 8,
  kFixTicket = 16,
  kAcceptFirst = 32,
};

// Half of the patches go into the header and the first record, where everything is, a quarter to
// the heads of its tables.
std::size_t place(std::uint32_t position, std::size_t& limit) {
  constexpr std::size_t kNear = shm::kHeaderArea + sizeof(shm::AppRecord);
  if (position % 4 == 1) {  // the head of a table: checksum, count, generation
    const std::size_t at = shm::kHeaderArea + offsetof(shm::AppRecord, tables) +
                           position / 64 % 4 * sizeof(shm::EndpointTable);
    limit = at + 64;
    return at + position / 4 % 16;
  }
  limit = position % 2 == 0 ? kNear : sizeof(shm::ControlRegion);
  return (position / 2) % limit;
}

void fix(shm::ControlRegion& region, Patched& patched, std::uint8_t options) {
  const auto offset = [&region](const void* field) {
    return static_cast<std::size_t>(static_cast<const char*>(field) -
                                    reinterpret_cast<const char*>(&region));
  };
  shm::AppRecord& app = region.apps[0];
  if ((options & kFixNames) != 0) {
    const std::uint32_t crc = shm::app_name_crc(app.name, 0);
    patched.put(offset(&app.name_crc), &crc, sizeof(crc));
  }
  // The two that the word names; the others are never looked at.
  const shm::Route route = shm::unpack_route(app.word);
  for (std::size_t c = 0; c < 2 && (options & kFixTables) != 0; ++c) {
    shm::EndpointTable& table = app.tables[c][route.table[c]];
    const std::uint32_t crc = shm::table_crc(table);
    patched.put(offset(&table.crc), &crc, sizeof(crc));
  }
  for (shm::HoldTicket& ticket : app.holds) {
    if ((options & kFixTicket) != 0) {
      const std::uint32_t crc = shm::ticket_crc(ticket);
      patched.put(offset(&ticket.crc), &crc, sizeof(crc));
    }
  }
  if ((options & kFixWord) != 0) {
    const std::uint64_t payload = app.word & ((std::uint64_t{1} << 45) - 1);
    const std::uint64_t word = payload | (shm::route_check(payload, region.header.id, 0) << 45);
    patched.put(offset(&app.word), &word, sizeof(word));
  }
  if ((options & kFixHeader) != 0) {
    const std::uint32_t crc = shm::header_crc(region.header);
    patched.put(offset(&region.header.crc), &crc, sizeof(crc));
  }
}

void look_at_header(const shm::RegionHeader& header, std::uint64_t size) {
  const shm::OpenError error = shm::validate_header(header, size, shm::kControlKind);
  char text[64];
  expect(std::strlen(shm::describe(error, shm::kControlKind, text, sizeof(text))) < sizeof(text));
  if (error.result == shm::OpenResult::kOk) {
    expect(size >= sizeof(shm::ControlRegion) && header.id != 0);
  }
}

void look_at_route(const core::AcceptedRoute& accepted) {
  const shm::AppSnapshot& snapshot = accepted.snapshot();
  expect(shm::route_is_sound(snapshot.route));
  core::AppStatus model;
  model.name = "app";
  model.route = snapshot.route;
  model.generation = snapshot.generation;
  for (const shm::Color color : shm::kColors) {
    const shm::EndpointTable& table = snapshot.tables[shm::index_of(color)];
    expect(table.count <= shm::kMaxEndpoints);
    for (std::uint32_t i = 0; i < table.count; ++i) {
      sockaddr_storage address;
      char text[shm::kEndpointTextSize];
      const socklen_t length = shm::to_sockaddr(table.endpoints[i], address);
      expect(length != 0 && length <= sizeof(address));
      expect(shm::format_endpoint(table.endpoints[i], text) < sizeof(text));
    }
    core::ColorStatus& shown = model.colors[shm::index_of(color)];
    shown.release = shm::text_of(table.release);
    shown.since_unix_ns = table.published_unix_ns;
    shown.endpoints = table.endpoints;
    shown.count = table.count;
  }
  static char document[256 * 1024];
  core::BoundedWriter out(document, sizeof(document));
  core::render_app(out, model, true);
  expect(!out.overflowed());
  for (const shm::Color color : shm::kColors) {
    core::Asker asker;
    asker.preview = color == shm::Color::kGreen;
    const core::Choice choice = core::choose(snapshot.route, asker);
    expect(!choice.found() || !snapshot.route.closed(choice.color));
  }
  shm::ticket_left_ns(snapshot.hold, shm::BootId{}, 1);
}

// The sample, with green's table full: what stands behind the last endpoint is not one.
shm::sample::Zeroed<shm::ControlRegion> make_region() {
  auto region = shm::sample::make_control();
  shm::EndpointTable& table = region->apps[0].tables[1][1];
  table.count = shm::kMaxEndpoints;
  for (shm::Endpoint& endpoint : table.endpoints) {
    endpoint = table.endpoints[0];
  }
  table.crc = shm::table_crc(table);
  return region;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto region = make_region();
  Input input(data, size);
  const auto options = input.take<std::uint8_t>();
  const auto file_size = sizeof(shm::ControlRegion) - input.take<std::uint8_t>() / 250;
  core::AcceptedRoute accepted;
  if ((options & kAcceptFirst) != 0) {
    accepted.attach(region.get(), 0, false);
    expect(accepted.look() == core::Look::kAccepted);
  }
  const shm::AppSnapshot before = accepted.snapshot();
  Patched patched(region.get());
  patched.put_all(input, place);
  fix(*region, patched, options);

  look_at_header(region->header, file_size);
  const std::uint32_t index = shm::find_app(*region, "app");
  if ((options & kAcceptFirst) == 0) {
    accepted.attach(region.get(), index, true);
  }
  accepted.judge_again();
  const core::Look look = accepted.look();
  for (const shm::Color color : shm::kColors) {
    accepted.admits(color, core::Admission::kFirst);
    accepted.admits(color, core::Admission::kPreview);
    accepted.admits(color, core::Admission::kAgain);
  }
  if (look == core::Look::kAccepted) {
    expect(shm::route_is_valid(accepted.snapshot().word, region->header.id, accepted.index()));
    if ((options & kFixTables) == 0) {  // checksums are what these inputs cost
      expect(shm::table_is_valid(accepted.snapshot().tables[0]));
      expect(shm::table_is_valid(accepted.snapshot().tables[1]));
    }
  } else if ((options & kAcceptFirst) != 0) {
    expect(std::memcmp(&accepted.snapshot().word, &before.word, sizeof(before.word)) == 0);
    expect(std::memcmp(accepted.snapshot().tables, before.tables, sizeof(before.tables)) == 0);
  }
  if (accepted.accepted()) {
    look_at_route(accepted);
  }
  return 0;
}
