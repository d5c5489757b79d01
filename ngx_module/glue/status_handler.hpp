// GET and HEAD of `bluegreen_status`: the contract's status document, schema 1.
// Content handler, in a worker, off the proxied requests' path. Shows what the request path reads.
#pragma once

#include "ngx_module/glue/ngx.hpp"

extern "C" ngx_int_t ngx_http_bluegreen_status_handler(ngx_http_request_t* r);
