// The balancer: color and endpoint of each try.
//
// init_upstream is called once, at configuration; peer.init, get and free for each request, in a
// worker, on the request path: one load decides, no lock, no waiting, memory only from the
// request's pool.
#pragma once

#include "ngx_module/glue/ngx.hpp"

extern "C" ngx_int_t ngx_http_bluegreen_init_upstream(ngx_conf_t* cf,
                                                      ngx_http_upstream_srv_conf_t* us);
