// The directives: their table, their configuration structures, and the checks that need the whole
// configuration. Called by NGINX's parser, in the master (or `nginx -t`); every refusal names the
// directive, what was found, and file and line.
#pragma once

#include "ngx_module/glue/ngx.hpp"

extern "C" {
extern ngx_command_t ngx_http_bluegreen_commands[];
void* ngx_http_bluegreen_create_main_conf(ngx_conf_t* cf);
char* ngx_http_bluegreen_init_main_conf(ngx_conf_t* cf, void* conf);
void* ngx_http_bluegreen_create_srv_conf(ngx_conf_t* cf);
}
