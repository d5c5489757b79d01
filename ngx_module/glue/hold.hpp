// Hold: requests that wait, without an upstream, until their application is released.
//
// The gate parks requests before they have an upstream. One that was let through and meets a hold
// only when it is about to announce itself (the word moved in between) comes back by hold_late.
// In a worker, one thread, on the request path.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

// Whether the accepted route holds new requests now: its flag, and its ticket's time is not up.
// Called only when the flag is there.
bool hold_in_force(const Upstream& upstream) noexcept;

// From peer.get, for a request that has announced nothing: parks it anew, or ends it with 503.
// Returns what peer.get has to return.
ngx_int_t hold_late(PeerState& state) noexcept;

}  // namespace bluegreen::glue
