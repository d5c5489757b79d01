// The way of one try to its color, by the protocol of shm/in_flight.hpp: choose, announce, look
// again, go on or withdraw. Called by the balancer's peer.get, in a worker, on the request path.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

enum class Settled : std::uint8_t {
  kYes,          // state.color is held, or has no endpoint at all
  kNothing,      // the control file is damaged and nothing was accepted before
  kNobody,       // no color admits this request
  kAllDown,      // its color is down by probes, none is to be tried then, and no other may serve
  kMoving,       // the route moved kMaxMoves times under it
  kHeld,         // a first try, and new requests wait: nothing was announced
  kMaintenance,  // a first try, and new requests are answered 503
  kNoMemory,
};

Settled settle(PeerState& state) noexcept;

// After other tables, another word or another health were accepted, and when the region is another
// one.
void note_outlook(Upstream& upstream) noexcept;

// The most tries that a request can need, before it has a color.
inline std::uint32_t most_tries(const PeerState& state) noexcept {
  const Upstream& upstream = *state.upstream;
  return __builtin_expect(static_cast<long>(state.main->previews == 0), 1) != 0
             ? upstream.outlook.tries
             : upstream.peers[0].count + upstream.peers[1].count + 1;
}

// How many tries a settled request can still make, the one that comes now included: NGINX must
// know, or it throws an answer away for a try that nobody can serve.
std::uint32_t tries_left(PeerState& state) noexcept;

}  // namespace bluegreen::glue
