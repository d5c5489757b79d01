// In-flight accounting: which request holds which color's gauge, and until when.
//
// A color is held once by a client's request, however many subrequests, retries and internal
// redirects lead to it, from the announcement (shm/in_flight.hpp) until the request's pool goes:
// the only moment that is certain, upgraded connections included. RequestState carries the holds,
// the balancer's state of the main request, the copies that its first try hands out, and the
// cleanup's own record, and lies in the worker's memory (core/block_pool.hpp): most requests take
// nothing from their own pool, which NGINX's round robin does, so that ours is never the allocation
// that makes NGINX ask the system for one more block.
//
// A block goes back to the worker when the request's pool goes. What was handed out from it
// (pc->sockaddr, pc->name, the variables' text) stays readable until the next request takes it.
//
// NGINX clears r->ctx at an internal redirect; then the state is found again by its cleanup.
// In a worker, one thread. Fails only by an allocation: nullptr.
#pragma once

#include "ngx_module/core/choose.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

struct RequestState;
struct Waiter;

// What one client request holds of one application.
struct Hold {
  App* app;
  std::uint32_t users[2];   // of the request's upstreams, by color; > 0: the gauge counts it
  core::Position position;  // in the weighted split, once that was asked for
  Hold* next;
};

// What a try hands out, in one piece that outlives the endpoint table.
struct HandedOut {
  ngx_str_t name;
  char bytes[sizeof(Peer::bytes)];
};

// The balancer's state for one request that has an upstream: a main request or a subrequest.
struct PeerState {
  ngx_http_request_t* request;
  RequestState* main;
  HandedOut* spare;  // for the first try; nullptr when used
  Upstream* upstream;
  Hold* hold;  // nullptr: no color is held yet
  std::uint64_t generation;
  ngx_str_t release;
  shm::Color color;  // of the try that was made last
  core::Reason reason;
  bool decided;
  bool looked;  // peer.init has just looked at the word for the first try
  std::uint8_t moves;
  core::Colors exhausted;      // colors that have nothing left for this request
  core::Candidate* candidate;  // the endpoint of the try, in the peers with this serial
  std::uint32_t ticket;        // its own, which stays when the table is another one
  std::uint32_t current;       // its place
  std::uint32_t serial;
  core::Tried tried;
  core::Reason refusal;      // why we answered it 503; kActive: we did not
  Waiter* waiter;            // hold.hpp; nullptr: it has not been held
  std::uint64_t begun_us;    // the try (telemetry_figures.hpp); 0: none is under way
  std::uint64_t header_us;   // its answer's header; 0: not seen
  std::uint32_t tries_made;  // by this upstream, for this request
};

struct RequestState {
  PeerState peer;
  Hold first;
  ngx_http_request_t* request;
  ngx_pool_cleanup_t cleanup;  // stays whole after it ran: NGINX goes on to its `next`
  RequestState* next_free;     // core::BlockPool's
  core::BlockPool<RequestState>* home;
  std::uint64_t previews;  // bits of the previews whose secret the client brought (preview.hpp)
  bool held;               // it has waited while its application was held
  const App* refused_by;   // whose maintenance, hold or colors we answered 503 for
  HandedOut handed_out;
};

// The state of r for a new upstream; the one it has already when it was redirected.
PeerState* obtain_state(ngx_http_request_t* r, MainConf& conf) noexcept;
// What the variables show; nullptr when no upstream of ours was used.
const PeerState* find_state(ngx_http_request_t* r) noexcept;

// What the request holds of another application than its first; nullptr without memory.
Hold* further_hold(RequestState& state, App& app) noexcept;

// Nearly all requests are for one application.
inline Hold* hold_of(RequestState& state, App& app) noexcept {
  if (state.first.app == nullptr) {
    state.first.app = &app;
  }
  return __builtin_expect(static_cast<long>(state.first.app == &app), 1) != 0
             ? &state.first
             : further_hold(state, app);
}

// Announces: from here on the color's gauge counts the request. False without memory.
__attribute__((always_inline)) inline bool hold_color(PeerState& state, shm::Color color) noexcept {
  Hold* const hold = hold_of(*state.main, *state.upstream->app);
  if (hold == nullptr) {
    return false;
  }
  const std::size_t c = shm::index_of(color);
  if (hold->users[c]++ == 0) {
    App& app = *hold->app;
    ++app.held[c];
    shm::announce(app.counters[c]->in_flight);
  }
  state.hold = hold;
  state.color = color;
  return true;
}

// Takes it back: the request moves, or may not go on.
void release_color(PeerState& state) noexcept;
// Its end, before the request's: it goes to another application. Counts how it ended here.
void end_color(PeerState& state) noexcept;
// Whether the client's request is in flight on this application already, by another try of its.
bool is_in_flight(const PeerState& state) noexcept;
bool is_in_flight(const RequestState& state, const App& app) noexcept;
// Of a state that holds its color: whether nothing else of the client's request does.
bool is_only_user(const PeerState& state) noexcept;
// Where the client's request keeps its position in this application's split; nullptr without
// memory.
core::Position* split_position(PeerState& state) noexcept;

// Whether the client brought the secret of this upstream's preview.
inline bool is_preview(const RequestState& state, const Upstream& upstream) noexcept {
  return (state.previews & upstream.gate.preview_bit) != 0;
}

}  // namespace bluegreen::glue
