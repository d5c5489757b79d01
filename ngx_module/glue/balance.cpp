// See balance.hpp.
#include "ngx_module/glue/balance.hpp"

#include "ngx_module/glue/directives.hpp"
#include "ngx_module/glue/upstream.hpp"

extern "C" char* ngx_http_bluegreen_balance(ngx_conf_t* cf, ngx_command_t*, void* data) {
  using namespace bluegreen::glue;
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  if (upstream == nullptr) {
    return static_cast<char*>(NGX_CONF_ERROR);
  }
  if (upstream->balance.said) {
    return const_cast<char*>("is duplicate");
  }
  upstream->balance.said = true;
  auto* const args = static_cast<ngx_str_t*>(cf->args->elts);
  if (const char* const expected =
          bluegreen::core::parse_method(view(args[1]), upstream->balance)) {
    return refuse_parameter(cf, args[1], expected);
  }
  for (ngx_uint_t i = 2; i < cf->args->nelts; ++i) {
    if (const char* const expected =
            bluegreen::core::parse_balance(view(args[i]), upstream->balance)) {
      return refuse_parameter(cf, args[i], expected);
    }
  }
  return NGX_CONF_OK;
}
