// See refuse.hpp.
#include "ngx_module/glue/refuse.hpp"

#include "ngx_module/glue/header_list.hpp"

namespace bluegreen::glue {

namespace {

bool add_retry_after(ngx_http_request_t* r, std::uint32_t seconds) noexcept {
  auto* const digits = static_cast<u_char*>(ngx_pnalloc(r->pool, NGX_INT64_LEN));
  if (digits == nullptr) {
    return false;
  }
  ngx_str_t value = {0, digits};
  value.len = static_cast<std::size_t>(
      ngx_sprintf(digits, "%ui", static_cast<ngx_uint_t>(seconds)) - digits);
  return add_header(r, "Retry-After", view(value));
}

}  // namespace

// The upstream is finalized here, by the cleanup that NGINX itself would use, which drops one
// reference of the request. When NGINX goes on with our NGX_BUSY it finds an upstream that is
// finalized already and drops another one. Two are taken for these two.
bool leave_upstream(ngx_http_request_t* r) noexcept {
  ngx_http_upstream_t* const u = r->upstream;
  if (u->cleanup == nullptr || *u->cleanup == nullptr) {
    return false;
  }
  ++r->main->count;
  ++r->main->count;
  (*u->cleanup)(r);
#if (NGX_HTTP_CACHE)
  u->cache_status = 0;  // or NGINX would send a stale response for NGX_BUSY, beside what we do
#endif
  return true;
}

ngx_int_t say_unavailable(PeerState& state, Upstream& upstream, core::Reason reason,
                          std::uint32_t retry_after_s) noexcept {
  const bool first = state.main->refused_by != upstream.app;
  state.main->refused_by = upstream.app;
  state.refusal = reason;
  if (!first) {
    return NGX_HTTP_SERVICE_UNAVAILABLE;  // its error page leads here again
  }
  const shm::Color active = upstream.route.snapshot().route.active;
  shm::count(upstream.app->counters[shm::index_of(active)]->refused);
  ngx_http_request_t* const r = state.request;
  if (r == r->main && retry_after_s != 0 && !add_retry_after(r, retry_after_s)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_HTTP_SERVICE_UNAVAILABLE;
}

ngx_int_t refuse(PeerState& state, const char* reason) noexcept {
  ngx_http_request_t* const r = state.request;
  const App& app = *state.upstream->app;
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                "bluegreen: no color of application \"%*s\" admits this request: %s",
                app.name.size(), app.name.data(), reason);
#if (NGX_HTTP_CACHE)
  if (r->cache != nullptr && r->upstream->cache_status == NGX_HTTP_CACHE_EXPIRED) {
    return NGX_BUSY;
  }
#endif
  const ngx_int_t status = say_unavailable(state, *state.upstream, core::Reason::kNobody, 0);
  if (leave_upstream(r)) {
    ngx_http_finalize_request(r, status);
  }
  return NGX_BUSY;
}

}  // namespace bluegreen::glue
