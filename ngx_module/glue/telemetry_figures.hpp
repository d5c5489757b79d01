// What a try adds to its color's figures (shm/telemetry_detail.hpp): begun at peer.get, its first
// byte seen by a header filter of ours, ended at peer.free, always before NGINX lets the try go.
//
// Times are CLOCK_MONOTONIC's, because NGINX's own clock stands still while a worker is busy. Of
// `connect` alone NGINX's is taken: only NGINX is there when a connection opens. An upgraded
// connection has no `total`: its length says nothing about the application's speed.
//
// A worker's one thread, on the request path. Nothing fails, nothing is allocated.
#pragma once

#include "ngx_module/glue/inflight.hpp"
#include "shm/in_flight.hpp"

namespace bluegreen::glue {

inline std::uint64_t monotonic_us() noexcept {
  return shm::clock_ns(CLOCK_MONOTONIC) / 1000;
}

// At peer.get, when the try has its endpoint.
inline void begin_try(PeerState& state) noexcept {
  state.begun_us = monotonic_us();
  state.header_us = 0;
  if (__builtin_expect(static_cast<long>(state.tries_made++ != 0), 0) != 0) {
    shm::count(state.upstream->app->detail[shm::index_of(state.color)]->retries);
  }
}

// At peer.free.
void end_try(PeerState& state, const ngx_peer_connection_t& pc, bool failed) noexcept;

}  // namespace bluegreen::glue

extern "C" {
// Postconfiguration: puts the filter that sees the first byte before the ones that are there.
void ngx_http_bluegreen_install_first_byte(void);
}
