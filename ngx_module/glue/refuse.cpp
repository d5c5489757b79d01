// See refuse.hpp.
#include "ngx_module/glue/refuse.hpp"

namespace bluegreen::glue {

// The upstream is finalized here, by the cleanup that NGINX itself would use, which drops one
// reference of the request. When NGINX goes on with our NGX_BUSY it finds an upstream that is
// finalized already and drops another one. Two are taken for these two.
bool leave_upstream(ngx_http_request_t* r) noexcept {
  ngx_http_upstream_t* const u = r->upstream;
#if (NGX_HTTP_CACHE)
  if (r->cache != nullptr && u->cache_status == NGX_HTTP_CACHE_EXPIRED) {
    return false;
  }
#endif
  if (u->cleanup == nullptr || *u->cleanup == nullptr) {
    return false;
  }
  ++r->main->count;
  ++r->main->count;
  (*u->cleanup)(r);
  return true;
}

ngx_int_t refuse(PeerState& state, const char* reason) noexcept {
  ngx_http_request_t* const r = state.request;
  App& app = *state.upstream->app;
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                "bluegreen: no color of application \"%*s\" admits this request: %s",
                app.name.size(), app.name.data(), reason);
  const shm::Color active = state.upstream->route.snapshot().route.active;
  shm::count(app.counters[shm::index_of(active)]->refused);
  if (leave_upstream(r)) {
    ngx_http_finalize_request(r, NGX_HTTP_SERVICE_UNAVAILABLE);
  }
  return NGX_BUSY;
}

}  // namespace bluegreen::glue
