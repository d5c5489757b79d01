// See gate.hpp.
#include "ngx_module/glue/gate.hpp"

#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/maintenance.hpp"
#include "ngx_module/glue/preview.hpp"
#include "ngx_module/glue/status_handler.hpp"
#include "ngx_module/glue/telemetry_figures.hpp"

namespace bluegreen::glue {

namespace {

// Their location configurations begin with an ngx_http_upstream_conf_t, from 1.22 to 1.31.
constexpr const char* kPassModules[] = {
    "ngx_http_proxy_module", "ngx_http_grpc_module", "ngx_http_fastcgi_module",
    "ngx_http_uwsgi_module", "ngx_http_scgi_module", "ngx_http_memcached_module",
};

bool is_pass_module(const ngx_module_t& module) noexcept {
  if (module.type != NGX_HTTP_MODULE) {
    return false;
  }
  for (const char* name : kPassModules) {
    if (std::strcmp(module.name, name) == 0) {
      return true;
    }
  }
  return false;
}

Upstream* upstream_behind(const ngx_http_upstream_conf_t& pass) noexcept {
  const ngx_http_upstream_srv_conf_t* const uscf = pass.upstream;
  if (uscf == nullptr || uscf->srv_conf == nullptr) {
    return nullptr;  // variables, or an address
  }
  return static_cast<SrvConf*>(ngx_http_conf_upstream_srv_conf(uscf, ngx_http_bluegreen_module))
      ->upstream;
}

#if (NGX_HTTP_CACHE)
// An answer out of the cache is the active color's: a preview must not get it.
bool bypasses(const ngx_http_upstream_conf_t& pass) noexcept {
  if (pass.cache == 0) {
    return true;
  }
  if (pass.cache_bypass == nullptr || pass.cache_bypass == NGX_CONF_UNSET_PTR) {
    return false;
  }
  const auto* const values = static_cast<ngx_http_complex_value_t*>(pass.cache_bypass->elts);
  for (ngx_uint_t i = 0; i < pass.cache_bypass->nelts; ++i) {
    if (view(values[i].value) == "$bluegreen_preview") {
      return true;
    }
  }
  return false;
}
#else
bool bypasses(const ngx_http_upstream_conf_t&) noexcept {
  return true;
}
#endif

const ngx_http_core_loc_conf_t& location_of(ngx_conf_t* cf) noexcept {
  return *static_cast<ngx_http_core_loc_conf_t*>(
      ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
}

// A location whose upstream is known at run time only may lead to one with a preview.
void warn_of_cache(ngx_conf_t* cf) noexcept {
  const auto& conf =
      *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_bluegreen_module));
  const ngx_http_core_loc_conf_t& location = location_of(cf);
  if (conf.preview_names != nullptr && location.handler != nullptr &&
      location.handler != ngx_http_bluegreen_status_handler) {
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "location \"%V\" has a cache and an upstream that is known at run time only: a "
                  "preview gets answers out of the cache unless its \"cache_bypass\" names "
                  "\"$bluegreen_preview\"",
                  &location.name);
  }
}

__attribute__((noinline)) ngx_int_t stop(ngx_http_request_t* r, Upstream& upstream) noexcept {
  PeerState* const state = obtain_state(r, *upstream.conf);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  RequestState& main = *state->main;
  if (is_preview(main, upstream) || is_in_flight(main, *upstream.app)) {
    return NGX_DECLINED;
  }
  if (main.refused_by == upstream.app) {
    return NGX_HTTP_SERVICE_UNAVAILABLE;  // the error page of a request that we refused
  }
  if (upstream.route.snapshot().route.has(shm::kMaintenance)) {
    return answer_maintenance(*state, upstream);
  }
  const bool its_turn = state->waiter != nullptr && state->waiter->upstream == &upstream;
  if (hold_in_force(upstream) || (upstream.gate.waiting != 0 && !its_turn)) {
    return wait_in_line(*state, upstream);
  }
  return NGX_DECLINED;
}

extern "C" ngx_int_t ngx_http_bluegreen_gate(ngx_http_request_t* r) {
  const auto* const conf = static_cast<ngx_http_bluegreen_loc_conf_t*>(
      ngx_http_get_module_loc_conf(r, ngx_http_bluegreen_module));
  Upstream* const upstream = conf->upstream;
  if (upstream == nullptr) {
    return NGX_DECLINED;
  }
  refresh(*upstream->conf, *upstream);
  return __builtin_expect(static_cast<long>(upstream->gate.busy), 0) == 0 ? NGX_DECLINED
                                                                          : stop(r, *upstream);
}

bool push_handler(ngx_http_core_main_conf_t& core, ngx_http_phases phase,
                  ngx_http_handler_pt handler) noexcept {
  auto* const entry =
      static_cast<ngx_http_handler_pt*>(ngx_array_push(&core.phases[phase].handlers));
  if (entry == nullptr) {
    return false;
  }
  *entry = handler;
  return true;
}

}  // namespace

}  // namespace bluegreen::glue

extern "C" {

void* ngx_http_bluegreen_create_loc_conf(ngx_conf_t* cf) {
  return ngx_pcalloc(cf->pool, sizeof(ngx_http_bluegreen_loc_conf_t));
}

// A dynamic module's merge comes after those of NGINX's own modules: what they inherit, they have.
char* ngx_http_bluegreen_merge_loc_conf(ngx_conf_t* cf, void*, void* child) {
  using namespace bluegreen::glue;
  auto& conf = *static_cast<ngx_http_bluegreen_loc_conf_t*>(child);
  const auto& context = *static_cast<ngx_http_conf_ctx_t*>(cf->ctx);
  int passes = 0;       // that name their upstream; an `if` can inherit one and have another
  bool cached = false;  // some cache does not ask whether it is a preview
  for (ngx_module_t** module = cf->cycle->modules; *module != nullptr; ++module) {
    if (!is_pass_module(**module)) {
      continue;
    }
    const auto& pass =
        *static_cast<ngx_http_upstream_conf_t*>(context.loc_conf[(*module)->ctx_index]);
    passes += pass.upstream != nullptr ? 1 : 0;
    const bool through_cache = !bypasses(pass);
    cached = cached || through_cache;
    Upstream* const upstream = upstream_behind(pass);
    if (upstream == nullptr) {
      continue;
    }
    conf.upstream = upstream;
    if (upstream->gate.preview_bit != 0 && through_cache) {
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "location \"%V\" leads to upstream \"%V\", which has \"bluegreen_preview\", "
                    "through a cache: its \"cache_bypass\" must name \"$bluegreen_preview\"",
                    &location_of(cf).name, &pass.upstream->host);
      return static_cast<char*>(NGX_CONF_ERROR);
    }
  }
  if (passes > 1) {
    conf.upstream = nullptr;  // which of them has the last word is known at run time only
  }
  if (cached && passes == 0) {
    warn_of_cache(cf);
  }
  return NGX_CONF_OK;
}

ngx_int_t ngx_http_bluegreen_install_gate(ngx_conf_t* cf) {
  using namespace bluegreen::glue;
  auto* const conf =
      static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_bluegreen_module));
  auto* const core = static_cast<ngx_http_core_main_conf_t*>(
      ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  if (conf->upstreams.nelts != 0 &&
      !push_handler(*core, NGX_HTTP_PRECONTENT_PHASE, ngx_http_bluegreen_gate)) {
    return NGX_ERROR;
  }
  if (conf->upstreams.nelts != 0) {
    ngx_http_bluegreen_install_first_byte();
  }
  if (conf->preview_names != nullptr) {
    ngx_http_bluegreen_install_color_header();
    if (!push_handler(*core, NGX_HTTP_POST_READ_PHASE, ngx_http_bluegreen_take_preview) ||
        !push_handler(*core, NGX_HTTP_REWRITE_PHASE, ngx_http_bluegreen_take_preview_late) ||
        !push_handler(*core, NGX_HTTP_LOG_PHASE, ngx_http_bluegreen_hide_preview)) {
      return NGX_ERROR;
    }
    // Before the access log, which NGINX's own module has put in already.
    const ngx_array_t& log = core->phases[NGX_HTTP_LOG_PHASE].handlers;
    auto* const handlers = static_cast<ngx_http_handler_pt*>(log.elts);
    ngx_memmove(handlers + 1, handlers, (log.nelts - 1) * sizeof(*handlers));
    handlers[0] = ngx_http_bluegreen_hide_preview;
  }
  return NGX_OK;
}

}  // extern "C"
