// bluegreen_balance: how a try picks one of its color's endpoints, and when one is left out.
// Configuration, master; refuses what it cannot read, by name and line.
#pragma once

#include "ngx_module/glue/ngx.hpp"

extern "C" char* ngx_http_bluegreen_balance(ngx_conf_t* cf, ngx_command_t* command, void* data);
