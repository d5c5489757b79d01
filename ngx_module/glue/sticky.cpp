// See sticky.hpp.
#include "ngx_module/glue/sticky.hpp"

#include "ngx_module/core/cookie_value.hpp"
#include "ngx_module/core/sticky.hpp"
#include "ngx_module/glue/directives.hpp"
#include "ngx_module/glue/ngx_compat.hpp"

namespace bluegreen::glue {

namespace {

// A variable that is the whole key is read where it lies: copying it costs more than hashing it.
std::string_view value_of(ngx_http_request_t* r, const StickyKey& key) noexcept {
  if (key.cookie.len != 0) {
    std::string_view value;
    any_cookie_header(*r, [&key, &value](const ngx_table_elt_t& header) noexcept {
      return core::cookie_value(view(header.value), view(key.cookie), value);
    });
    return value;
  }
  if (key.variable != NGX_ERROR) {
    const ngx_http_variable_value_t* const value =
        ngx_http_get_flushed_variable(r, static_cast<ngx_uint_t>(key.variable));
    return value != nullptr && value->not_found == 0
               ? std::string_view(reinterpret_cast<const char*>(value->data), value->len)
               : std::string_view();
  }
  ngx_str_t text;
  auto* const compiled = const_cast<ngx_http_complex_value_t*>(&key.value);
  return ngx_http_complex_value(r, compiled, &text) == NGX_OK ? view(text) : std::string_view();
}

// The first key that is not empty; an empty one when all are.
std::string_view key_of(ngx_http_request_t* r, const Upstream& upstream) noexcept {
  std::string_view key;
  for (ngx_uint_t i = 0; i < upstream.key_count && key.empty(); ++i) {
    key = value_of(r, upstream.keys[i]);
  }
  return key;
}

// The index of the variable that is all of the text; NGX_ERROR: it is something else.
ngx_int_t sole_variable(ngx_conf_t* cf, const ngx_str_t& text) noexcept {
  ngx_str_t name = {text.len - 1, text.data + 1};
  for (std::size_t i = 0; i < name.len; ++i) {
    const u_char c = name.data[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '_') {
      return NGX_ERROR;
    }
  }
  // $1 is a capture of the location's regular expression: no variable that has an index.
  if (text.data[0] != '$' || name.len == 0 || (name.data[0] >= '0' && name.data[0] <= '9')) {
    return NGX_ERROR;
  }
  return ngx_http_get_variable_index(cf, &name);
}

// The name of a key that is $cookie_NAME, the commonest: looking for it ourselves costs a fifth.
ngx_str_t cookie_of(const ngx_str_t& text) noexcept {
  ngx_str_t prefix = ngx_string("$cookie_");
  if (text.len <= prefix.len || ngx_strncasecmp(text.data, prefix.data, prefix.len) != 0) {
    return ngx_null_string;
  }
  return {text.len - prefix.len, text.data + prefix.len};
}

}  // namespace

core::Position position_of(PeerState& state, const shm::Route& route) noexcept {
  core::Position* const known = split_position(state);
  if (known != nullptr && *known != core::kUnplaced) {
    return *known;
  }
  Upstream& upstream = *state.upstream;
  const std::string_view key = key_of(state.request, upstream);
  const core::Position position = !key.empty() ? core::sticky_position(upstream.seed, key)
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
  auto* const keys = static_cast<StickyKey*>(ngx_pcalloc(cf->pool, count * sizeof(StickyKey)));
  if (keys == nullptr) {
    return static_cast<char*>(NGX_CONF_ERROR);
  }
  for (ngx_uint_t i = 0; i < count; ++i) {
    ngx_http_compile_complex_value_t compile;
    ngx_memzero(&compile, sizeof(compile));
    compile.cf = cf;
    compile.value = &args[i + 1];
    compile.complex_value = &keys[i].value;
    if (ngx_http_compile_complex_value(&compile) != NGX_OK) {
      return static_cast<char*>(NGX_CONF_ERROR);
    }
    if (keys[i].value.lengths == nullptr) {
      // The same for everybody: all clients would change sides at once.
      ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                         "invalid key \"%V\" in \"bluegreen_sticky\": expected a variable, as in "
                         "\"$cookie_uid\"",
                         &args[i + 1]);
      return static_cast<char*>(NGX_CONF_ERROR);
    }
    keys[i].variable = sole_variable(cf, args[i + 1]);
    if (keys[i].variable != NGX_ERROR) {
      keys[i].cookie = cookie_of(args[i + 1]);
      ngx_strlow(keys[i].cookie.data, keys[i].cookie.data, keys[i].cookie.len);
    }
  }
  upstream->keys = keys;
  upstream->key_count = count;
  return NGX_CONF_OK;
}
