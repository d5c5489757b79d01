// $bluegreen_color, $bluegreen_generation, $bluegreen_release: what the request's last try was
// decided by. Empty ("-" in a log) until an upstream of ours was asked, valid in the log phase.
// Called at preconfiguration in the master; the handlers in workers, never failing but for memory.
#pragma once

#include "ngx_module/glue/ngx.hpp"

extern "C" ngx_int_t ngx_http_bluegreen_add_variables(ngx_conf_t* cf);
