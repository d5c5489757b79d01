// Hold: requests that wait, without an upstream, until their application is released.
//
// The gate (gate.hpp) lets requests wait before they have an upstream. One that was let through and
// meets a hold only when it is about to announce itself (its body took long, the word moved in
// between, or its upstream's name is known at run time only) comes back by hold_late: its upstream
// is taken away, and its content handler runs again, with the body that was read, when it goes on.
//
// Each upstream has one line in each worker, in the order of arrival; those that come late stand at
// its head. While anybody waits, a timer of kHoldPoll looks at the words and at the limits of
// bluegreen_hold. It keeps a worker that shuts down alive until its last one has gone on.
//
// A request that waits is not in flight; Counters::waiting counts it. It leaves the line by its
// turn, by a limit (503), or when its client goes (a cleanup of the request).
// In a worker, one thread, on the request path. Fails by an allocation: 500.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

// One request's place in the line of an upstream.
struct Waiter {
  ngx_queue_t link;
  PeerState* state;
  Upstream* upstream;
  ngx_msec_t since;
  shm::Color color;  // whose gauge counts it
  bool in_line;
  bool late;  // it had passed the gate: it stands before all who have not
};

// The word that was just accepted: does its hold count, and until when? `log` may be null.
void note_route(MainConf& conf, Upstream& upstream, ngx_log_t* log) noexcept;
// Once a second: a clock that stood still (suspend) does not make a hold longer.
void note_time(Upstream& upstream, ngx_log_t* log) noexcept;

// Whether the accepted route holds new requests now: its flag, and its ticket's time is not up.
inline bool hold_in_force(const Upstream& upstream) noexcept {
  return upstream.gate.hold_counts &&
         static_cast<ngx_msec_int_t>(upstream.gate.hold_until - ngx_current_msec) > 0;
}

// From the gate: NGX_AGAIN, or the status that the request is to be ended with.
ngx_int_t wait_in_line(PeerState& state, Upstream& upstream) noexcept;

// From peer.get, for a request that has announced nothing: parks it anew, or ends it with 503.
// Returns what peer.get has to return.
ngx_int_t hold_late(PeerState& state) noexcept;

// At a worker's start.
void start_hold_clock(MainConf& conf) noexcept;

}  // namespace bluegreen::glue
