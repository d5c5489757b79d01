// In-flight accounting: which request holds which color's gauge, and until when.
//
// A color is held once by a client's request, however many subrequests, retries and internal
// redirects lead to it, from the announcement (shm/in_flight.hpp) until the request's pool goes:
// the only moment that is certain, upgraded connections included. One allocation and one cleanup a
// request: RequestState carries both the holds and the balancer's state of the main request.
//
// NGINX clears r->ctx at an internal redirect; then the state is found again by its cleanup.
// In a worker, one thread. Fails only by an allocation: nullptr.
#pragma once

#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

struct RequestState;

// What one client request holds of one application.
struct Hold {
  App* app;
  std::uint32_t users[2];  // of the request's upstreams, by color; > 0: the gauge counts it
  Hold* next;
};

// The balancer's state for one request that has an upstream: a main request or a subrequest.
struct PeerState {
  ngx_http_request_t* request;
  MainConf* conf;
  Upstream* upstream;
  RequestState* main;
  Hold* hold;  // nullptr: no color is held yet
  std::uint64_t generation;
  ngx_str_t release;
  shm::Color color;  // of the try that was made last
  bool decided;
  bool looked;  // peer.init has just looked at the word for the first try
  std::uint8_t moves;
  std::uint32_t current;  // endpoint of the try, in the peers with this serial
  std::uint32_t serial;
  core::Tried tried;
  u_char* spare;  // kSpare bytes for the first try's address and name; nullptr when used
};

// Enough for an IPv4 or IPv6 endpoint and a short release, so that most requests allocate once.
inline constexpr std::size_t kSpare = 112;

struct RequestState {
  ngx_http_request_t* request;
  Hold first;
  PeerState peer;
  alignas(8) u_char spare[kSpare];
};

// The state of r for a new upstream; the one it has already when it was redirected.
PeerState* obtain_state(ngx_http_request_t* r) noexcept;
// What the variables show; nullptr when no upstream of ours was used.
const PeerState* find_state(ngx_http_request_t* r) noexcept;

// Announces: from here on the color's gauge counts the request. False without memory.
bool hold_color(PeerState& state, shm::Color color) noexcept;
// Takes it back: the request moves, or may not go on.
void release_color(PeerState& state) noexcept;

}  // namespace bluegreen::glue
