// See sticky.hpp.
#include "ngx_module/glue/sticky.hpp"

#include "ngx_module/core/sticky.hpp"
#include "ngx_module/glue/directives.hpp"

namespace bluegreen::glue {

namespace {

// The first key that is not empty; an empty one when all are.
ngx_str_t key_of(ngx_http_request_t* r, const Upstream& upstream) noexcept {
  ngx_str_t key = ngx_null_string;
  for (ngx_uint_t i = 0; i < upstream.key_count && key.len == 0; ++i) {
    if (ngx_http_complex_value(r, &upstream.keys[i], &key) != NGX_OK) {
      return ngx_null_string;
    }
  }
  return key;
}

}  // namespace

core::Position position_of(PeerState& state, const shm::Route& route) noexcept {
  core::Position* const known = split_position(state);
  if (known != nullptr && *known != core::kUnplaced) {
    return *known;
  }
  Upstream& upstream = *state.upstream;
  const ngx_str_t key = key_of(state.request, upstream);
  const core::Position position =
      key.len != 0 ? core::sticky_position(core::sticky_seed(upstream.app->name), view(key))
                   : upstream.split.next(core::green_share(route));
  if (known != nullptr) {
    *known = position;
  }
  return position;
}

}  // namespace bluegreen::glue

extern "C" char* ngx_http_bluegreen_sticky(ngx_conf_t* cf, ngx_command_t*, void* data) {
  using namespace bluegreen::glue;
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  if (upstream == nullptr) {
    return static_cast<char*>(NGX_CONF_ERROR);
  }
  if (upstream->keys != nullptr) {
    return const_cast<char*>("is duplicate");
  }
  auto* const args = static_cast<ngx_str_t*>(cf->args->elts);
  const ngx_uint_t count = cf->args->nelts - 1;
  auto* const keys = static_cast<ngx_http_complex_value_t*>(
      ngx_pcalloc(cf->pool, count * sizeof(ngx_http_complex_value_t)));
  if (keys == nullptr) {
    return static_cast<char*>(NGX_CONF_ERROR);
  }
  for (ngx_uint_t i = 0; i < count; ++i) {
    ngx_http_compile_complex_value_t compile;
    ngx_memzero(&compile, sizeof(compile));
    compile.cf = cf;
    compile.value = &args[i + 1];
    compile.complex_value = &keys[i];
    if (ngx_http_compile_complex_value(&compile) != NGX_OK) {
      return static_cast<char*>(NGX_CONF_ERROR);
    }
    if (keys[i].lengths == nullptr) {
      // The same for everybody: all clients would change sides at once.
      ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                         "invalid key \"%V\" in \"bluegreen_sticky\": expected a variable, as in "
                         "\"$cookie_uid\"",
                         &args[i + 1]);
      return static_cast<char*>(NGX_CONF_ERROR);
    }
  }
  upstream->keys = keys;
  upstream->key_count = count;
  return NGX_CONF_OK;
}
