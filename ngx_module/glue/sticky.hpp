// Where a client stands in a weighted split: bluegreen_sticky's keys, and the split without one.
//
// The directive: configuration, master. position_of: in a worker, on the request path, and only
// while the word has a weight. Never fails: without a key the sequence decides.
#pragma once

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

// The same for all tries and subrequests of one client request.
core::Position position_of(PeerState& state, const shm::Route& route) noexcept;

}  // namespace bluegreen::glue

extern "C" char* ngx_http_bluegreen_sticky(ngx_conf_t* cf, ngx_command_t* command, void* data);
