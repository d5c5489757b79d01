// The directives: their table, their configuration structures, and the checks that need the whole
// configuration. Called by NGINX's parser, in the master (or `nginx -t`); every refusal names the
// directive, what was found, and file and line.
#pragma once

#include "ngx_module/glue/ngx.hpp"

struct ngx_http_bluegreen_srv_conf_t;

namespace bluegreen::glue {

struct Upstream;

// What all directives of an upstream block share: its Upstream, made by the first of them, which
// also says where the block is ours. nullptr without memory.
Upstream* upstream_of(ngx_conf_t* cf, ngx_http_bluegreen_srv_conf_t& srv) noexcept;

// Says which parameter of the present directive is none, and what was expected. NGX_CONF_ERROR.
char* refuse_parameter(ngx_conf_t* cf, const ngx_str_t& found, const char* expected) noexcept;

}  // namespace bluegreen::glue

extern "C" {
extern ngx_command_t ngx_http_bluegreen_commands[];
void* ngx_http_bluegreen_create_main_conf(ngx_conf_t* cf);
char* ngx_http_bluegreen_init_main_conf(ngx_conf_t* cf, void* conf);
void* ngx_http_bluegreen_create_srv_conf(ngx_conf_t* cf);
}
