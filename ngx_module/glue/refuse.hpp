// Answering 503 ourselves: in a phase (the gate), and from within the balancer.
//
// A balancer can only say "busy" (502) or "error" (500): leave_upstream and refuse are called from
// peer.get, whose return value must then be NGX_BUSY. In a worker, on the request path.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

// Takes the upstream away from the request, whose references are as before once NGINX has seen
// NGX_BUSY: the caller ends it or parks it. False when nothing was done, and NGINX ends the request
// (502).
bool leave_upstream(ngx_http_request_t* r) noexcept;

// Ends the request with 503, says why in the error log, and counts it; a stale response that
// NGINX's cache may serve goes before. Returns NGX_BUSY.
ngx_int_t refuse(PeerState& state, const char* reason) noexcept;

// Counts the refusal and shows it in $bluegreen_reason; tells the client when to come again.
// `retry_after_s`: 0 says nothing. What the request is to be ended with: 503, or 500 without
// memory.
ngx_int_t say_unavailable(PeerState& state, Upstream& upstream, core::Reason reason,
                          std::uint32_t retry_after_s) noexcept;

}  // namespace bluegreen::glue
