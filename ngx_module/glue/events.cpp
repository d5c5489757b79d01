// See events.hpp.
#include "ngx_module/glue/events.hpp"

#include <unistd.h>

#include "shm/circle.hpp"

namespace bluegreen::glue {

namespace {

std::uint8_t byte_of(shm::Color color) noexcept {
  return static_cast<std::uint8_t>(shm::index_of(color));
}

void tell_difference(MainConf& conf, const Upstream& upstream, const shm::Route& before) noexcept {
  const shm::AppSnapshot& snapshot = upstream.route.snapshot();
  const shm::Route& now = snapshot.route;
  const shm::Color other = shm::other(now.active);
  const auto tell = [&](shm::EventKind kind, std::uint8_t color, std::uint8_t was,
                        std::uint8_t is) noexcept {
    shm::Event event = event_of(kind);
    event.app = static_cast<std::uint8_t>(upstream.app->index);
    event.color = color;
    event.before = was;
    event.after = is;
    event.weight = now.weight;
    event.generation = snapshot.generation;
    note_event(conf, event);
  };
  for (const shm::Color color : shm::kColors) {
    const std::size_t c = shm::index_of(color);
    if (before.table[c] != now.table[c]) {
      tell(shm::EventKind::kEndpoints, byte_of(color), 0, 0);
    }
  }
  if (before.active != now.active) {
    tell(shm::EventKind::kFlip, byte_of(now.active), byte_of(before.active), byte_of(now.active));
  } else if (before.weight != now.weight) {
    tell(shm::EventKind::kWeight, byte_of(other), 0, 0);
  }
  if (before.flags != now.flags) {
    tell(shm::EventKind::kFlags, shm::kNobody, before.flags, now.flags);
  }
}

}  // namespace

shm::Event event_of(shm::EventKind kind) noexcept {
  shm::Event event{};
  event.kind = static_cast<std::uint32_t>(kind);
  event.app = shm::kNobody;
  event.color = shm::kNobody;
  return event;
}

void note_event(MainConf& conf, shm::Event event) noexcept {
  shm::TelemetryDetail* const detail = conf.telemetry.detail();
  if (detail == nullptr) {
    return;
  }
  event.unix_ns = unix_ns();
  event.pid = static_cast<std::uint32_t>(::getpid());
  shm::add_event(detail->events, event);
}

void tell_route(MainConf& conf, const Upstream& upstream) noexcept {
  shm::AppDetail* const board = upstream.app->board;
  const shm::AppSnapshot& snapshot = upstream.route.snapshot();
  if (board == nullptr || upstream.app->index >= shm::kMaxApps ||
      upstream.route.basis() != core::Basis::kRegion || upstream.route.rejected()) {
    return;
  }
  // Acquire in both pairs with the swap of another worker.
  std::uint64_t told = board->told_word.load(std::memory_order_acquire);
  while (told != snapshot.word) {
    // A word of another control file has generations of its own.
    const bool same_file = shm::route_is_valid(told, conf.control.id(), upstream.route.index());
    const shm::Route before = shm::unpack_route(told);
    if (same_file &&
        !shm::is_ahead(snapshot.route.generation, before.generation, shm::kGenerationMask)) {
      return;  // this worker is late
    }
    if (board->told_word.compare_exchange_weak(told, snapshot.word, std::memory_order_acq_rel,
                                               std::memory_order_acquire)) {
      if (told != 0) {
        tell_difference(conf, upstream, before);
      }
      return;
    }
  }
}

void tell_control(MainConf& conf, shm::ControlState state) noexcept {
  shm::TelemetryDetail* const detail = conf.telemetry.detail();
  if (detail == nullptr) {
    return;
  }
  // 0 in the file: nothing was told yet.
  const std::uint64_t now = std::uint64_t{static_cast<std::uint32_t>(state)} + 1;
  constexpr std::uint64_t kOk =
      std::uint64_t{static_cast<std::uint32_t>(shm::ControlState::kOk)} + 1;
  // Acquire in both pairs with the swap of another worker.
  std::uint64_t told = detail->header.told_control.load(std::memory_order_acquire);
  if (told == now || !detail->header.told_control.compare_exchange_strong(
                         told, now, std::memory_order_acq_rel, std::memory_order_acquire)) {
    return;
  }
  if (now == kOk && told == 0) {
    return;
  }
  shm::Event event =
      event_of(now == kOk ? shm::EventKind::kControlHealed : shm::EventKind::kControlDamaged);
  if (now != kOk) {
    const std::string_view name = shm::name_of(state);
    shm::set_text(event.text, name);
  }
  note_event(conf, event);
}

void tell_telemetry_healed(MainConf& conf) noexcept {
  note_event(conf, event_of(shm::EventKind::kTelemetryHealed));
}

}  // namespace bluegreen::glue
