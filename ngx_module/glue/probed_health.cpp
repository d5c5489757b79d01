// What the prober has found, on its way to the request path: the health words of the telemetry file
// are read into both colors' candidates (core/endpoint_health.hpp says what follows).
//
// Read when the board's `health_moves` has grown, which every request looks at (refresh), when
// other tables count, and once a second. In a worker, one thread; cannot fail: without a
// bluegreen_probe, or a board, nobody is down.
#include "ngx_module/glue/settle.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

namespace {

void follow_color(Upstream& upstream, shm::Color color, const shm::HealthRecord* records) noexcept {
  Peers& peers = upstream.peers[shm::index_of(color)];
  peers.down = 0;
  for (std::uint32_t i = 0; i < peers.count; ++i) {
    const shm::Health said =
        records == nullptr ? shm::Health::kUnknown : shm::health_of(records[i], peers.tags[i]);
    core::hear_probes(peers.candidates[i], said, upstream.balance.rules, ngx_current_msec);
    peers.down += peers.candidates[i].health.probed_down ? 1 : 0;
  }
  peers.troubled = peers.troubled || peers.down != 0;
}

}  // namespace

__attribute__((noinline)) void follow_health(Upstream& upstream) noexcept {
  const App& app = *upstream.app;
  const shm::AppDetail* const board = app.probe != nullptr ? app.board : nullptr;
  if (board != nullptr) {
    // Acquire pairs with the prober's release: a change behind this load is seen by the next look.
    upstream.health_seen = board->health_moves.load(std::memory_order_acquire);
  }
  for (const shm::Color color : shm::kColors) {
    follow_color(upstream, color, board != nullptr ? board->health[shm::index_of(color)] : nullptr);
  }
  note_outlook(upstream);
}

}  // namespace bluegreen::glue
