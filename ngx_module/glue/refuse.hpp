// Leaving an upstream from within the balancer.
//
// A balancer can only say "busy" (502) or "error" (500). Both functions are called from peer.get,
// whose return value must then be NGX_BUSY. In a worker, on the request path.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

// Takes the upstream away from the request, whose references are as before once NGINX has seen
// NGX_BUSY: the caller ends it or parks it. False when nothing was done: NGINX then ends the
// request (502), or serves a stale response from its cache.
bool leave_upstream(ngx_http_request_t* r) noexcept;

// Ends the request with 503, says why in the error log, and counts it. Returns NGX_BUSY.
ngx_int_t refuse(PeerState& state, const char* reason) noexcept;

}  // namespace bluegreen::glue
