// The gate: the phase (PRECONTENT, first) in which a request that is about to go to one of our
// upstreams is held, answered 503, or let through.
//
// Which upstream a location leads to is known from its *_pass directive, when the configuration is
// merged; `proxy_pass` with variables is not known here, and hold.hpp and maintenance.hpp meet it
// in the balancer. A request whose location leads nowhere of ours costs two loads; one that does, a
// look at its route word, while nothing is held.
//
// Let through whatever is held: previews, and what belongs to a request that is in flight already
// (its subrequests, its error page): a drain waits for it.
// Configuration: master. The phase: in a worker, on the request path; fails by an allocation (500).
#pragma once

#include "ngx_module/core/status_format.hpp"
#include "ngx_module/glue/upstream.hpp"

struct ngx_http_bluegreen_loc_conf_t {
  bluegreen::glue::Upstream* upstream;     // nullptr: none of ours, or not known
  bluegreen::core::StatusSettings status;  // of bluegreen_status
};

extern "C" {
void* ngx_http_bluegreen_create_loc_conf(ngx_conf_t* cf);
char* ngx_http_bluegreen_merge_loc_conf(ngx_conf_t* cf, void* parent, void* child);
// Postconfiguration: takes part in the phases that this configuration needs.
ngx_int_t ngx_http_bluegreen_install_gate(ngx_conf_t* cf);

// Directives of the upstream block.
char* ngx_http_bluegreen_hold(ngx_conf_t* cf, ngx_command_t* command, void* data);
char* ngx_http_bluegreen_maintenance(ngx_conf_t* cf, ngx_command_t* command, void* data);
char* ngx_http_bluegreen_preview(ngx_conf_t* cf, ngx_command_t* command, void* data);
}
