// A color's endpoints as tries need them: made from an endpoint table, picked, handed out.
//
// What a worker knows of an endpoint (failures, turns, tries that run, its TLS session) stays while
// the endpoint stays in the table, by address and identity; a successor at the same address begins
// anew.
//
// prepare_peers: when other tables count, at a worker's start or on the request path. The others:
// peer.get and what follows, on the request path. In a worker, one thread. Fails by memory alone.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

// Makes both colors' lists from the tables that count now.
void prepare_peers(Upstream& upstream) noexcept;

// How many endpoints a new request would find fit there.
std::uint32_t count_up(Upstream& upstream, shm::Color color) noexcept;
// How many fit endpoints of state.color this request has not tried. Where probes found all of them
// down, that is none, or with `anyway` as many as if they had not.
std::uint32_t count_left(PeerState& state, bool anyway) noexcept;

// Takes an endpoint of state.color and hands out its address and name. NGX_OK; NGX_BUSY when there
// is none left (NGINX answers 502), with a name for the log; NGX_ERROR without memory.
ngx_int_t take_peer(PeerState& state, ngx_peer_connection_t* pc) noexcept;
// Names the application where there is no endpoint to be named; NGX_BUSY or NGX_ERROR.
ngx_int_t name_nobody(PeerState& state, ngx_peer_connection_t* pc) noexcept;
// The end of a try, before NGINX closes or keeps its connection.
void give_back_peer(PeerState& state, ngx_peer_connection_t* pc, bool failed) noexcept;
// The endpoint that this try went to, or nullptr when it has left the table since.
Peer* current_peer(const PeerState& state) noexcept;

}  // namespace bluegreen::glue
