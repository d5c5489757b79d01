// See balancer.hpp. A try's walk: settle on a color (settle.hpp), take an endpoint of it
// (peers.hpp).
//
// Ways out: NGX_OK; NGX_BUSY when the color has no endpoint left (NGINX answers 502 at once);
// 503 when no color admits the request (refuse.hpp), or it waits (hold.hpp); NGX_ERROR without
// memory (500).
#include "ngx_module/glue/balancer.hpp"

#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/maintenance.hpp"
#include "ngx_module/glue/ngx_compat.hpp"
#include "ngx_module/glue/peers.hpp"
#include "ngx_module/glue/refuse.hpp"
#include "ngx_module/glue/settle.hpp"

namespace bluegreen::glue {

namespace {

const char* reason_of(Settled settled) noexcept {
  switch (settled) {
    case Settled::kNothing:
      return "the control file is damaged and nothing was accepted before";
    case Settled::kMoving:
      return "the route moved too often while it was choosing";
    case Settled::kAllDown:
      return "every endpoint of its color is unhealthy, and when_all_down=refuse";
    default:
      return "the color that it asks for is closed";
  }
}

__attribute__((noinline)) ngx_int_t turn_away(PeerState& state, ngx_peer_connection_t* pc,
                                              Settled settled) noexcept {
  if (settled == Settled::kNoMemory || name_nobody(state, pc) == NGX_ERROR) {
    return NGX_ERROR;
  }
  if (settled == Settled::kMaintenance) {
    return maintain_late(state);
  }
  return settled == Settled::kHeld ? hold_late(state) : refuse(state, reason_of(settled));
}

// A try that nobody can serve would hide the answer of the last one that was served.
__attribute__((noinline)) void limit_tries(PeerState& state, ngx_peer_connection_t* pc) noexcept {
  const std::uint32_t limit = tries_left(state);
  if (pc->tries > limit) {
    pc->tries = limit;
  }
}

bool knows_its_tries(const PeerState& state) noexcept {
  const Upstream& upstream = *state.upstream;
  return upstream.outlook.exact && state.tried == 0 && state.exhausted == 0 &&
         state.main->previews == 0 && !upstream.peers[0].troubled && !upstream.peers[1].troubled;
}

ngx_int_t get_peer(PeerState& state, ngx_peer_connection_t* pc) noexcept {
  pc->cached = 0;
  pc->connection = nullptr;
  const Settled settled = settle(state);
  if (__builtin_expect(static_cast<long>(settled != Settled::kYes), 0) != 0) {
    return turn_away(state, pc, settled);
  }
  state.generation = state.upstream->route.snapshot().generation;
  state.decided = true;
  if (pc->tries > 1 && !knows_its_tries(state)) {
    limit_tries(state, pc);
  }
  return take_peer(state, pc);
}

}  // namespace

}  // namespace bluegreen::glue

using bluegreen::glue::PeerState;

extern "C" {

static ngx_int_t ngx_http_bluegreen_get_peer(ngx_peer_connection_t* pc, void* data) noexcept {
  return bluegreen::glue::get_peer(*static_cast<PeerState*>(data), pc);
}

static void ngx_http_bluegreen_free_peer(ngx_peer_connection_t* pc, void* data,
                                         ngx_uint_t state) noexcept {
  const bool failed = (state & NGX_PEER_FAILED) != 0;
  bluegreen::glue::give_back_peer(*static_cast<PeerState*>(data), pc, failed);
  if (pc->tries != 0) {
    --pc->tries;
  }
}

#if BLUEGREEN_PEER_SESSIONS

static ngx_int_t ngx_http_bluegreen_set_session(ngx_peer_connection_t* pc, void* data) noexcept {
#if (NGX_HTTP_SSL)
  const auto* const peer = bluegreen::glue::current_peer(*static_cast<PeerState*>(data));
  return peer == nullptr
             ? NGX_OK
             : ngx_ssl_set_session(pc->connection, static_cast<ngx_ssl_session_t*>(peer->session));
#else
  (void)pc;
  (void)data;
  return NGX_OK;
#endif
}

static void ngx_http_bluegreen_save_session(ngx_peer_connection_t* pc, void* data) noexcept {
#if (NGX_HTTP_SSL)
  auto* const peer = bluegreen::glue::current_peer(*static_cast<PeerState*>(data));
  ngx_ssl_session_t* const session =
      peer != nullptr ? ngx_ssl_get_session(pc->connection) : nullptr;
  if (session == nullptr) {
    return;
  }
  if (peer->session != nullptr) {
    ngx_ssl_free_session(static_cast<ngx_ssl_session_t*>(peer->session));
  }
  peer->session = session;
#else
  (void)pc;
  (void)data;
#endif
}

#endif

static ngx_int_t ngx_http_bluegreen_init_peer(ngx_http_request_t* r,
                                              ngx_http_upstream_srv_conf_t* us) noexcept {
  auto* const srv = static_cast<ngx_http_bluegreen_srv_conf_t*>(
      ngx_http_conf_upstream_srv_conf(us, ngx_http_bluegreen_module));
  bluegreen::glue::Upstream& upstream = *srv->upstream;
  PeerState* const state = bluegreen::glue::obtain_state(r, *upstream.conf);
  if (state == nullptr) {
    return NGX_ERROR;
  }
  if (state->hold != nullptr && state->upstream->app != upstream.app) {
    bluegreen::glue::end_color(*state);  // redirected to another application
  }
  state->upstream = &upstream;
  state->tried = 0;
  state->exhausted = 0;
  state->moves = 0;
  state->tries_made = 0;
  bluegreen::glue::refresh(*upstream.conf, upstream);
  state->looked = true;
  ngx_peer_connection_t& pc = r->upstream->peer;
  pc.data = state;
  pc.get = ngx_http_bluegreen_get_peer;
  pc.free = ngx_http_bluegreen_free_peer;
  pc.tries = bluegreen::glue::most_tries(*state);
#if BLUEGREEN_PEER_SESSIONS
  pc.set_session = ngx_http_bluegreen_set_session;
  pc.save_session = ngx_http_bluegreen_save_session;
#endif
  return NGX_OK;
}

ngx_int_t ngx_http_bluegreen_init_upstream(ngx_conf_t* cf, ngx_http_upstream_srv_conf_t* us) {
  auto* const srv = static_cast<ngx_http_bluegreen_srv_conf_t*>(
      ngx_http_conf_upstream_srv_conf(us, ngx_http_bluegreen_module));
#if (NGX_HTTP_UPSTREAM_ZONE)
  if (us->shm_zone != nullptr) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"zone\" cannot be used with \"bluegreen\" in upstream \"%V\" in %s:%ui",
                  &us->host, us->file_name, us->line);
    return NGX_ERROR;
  }
#endif
  // `bluegreen` has put one nameless entry there (directives.cpp); others come from `server`.
  const auto* const servers = static_cast<ngx_http_upstream_server_t*>(us->servers->elts);
  for (ngx_uint_t i = 0; i < us->servers->nelts; ++i) {
    if (servers[i].name.len != 0) {
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "\"server %V\" cannot be used with \"bluegreen\" in upstream \"%V\" in "
                    "%s:%ui, write \"bluegreen_server blue|green ADDRESS\"",
                    &servers[i].name, &us->host, us->file_name, us->line);
      return NGX_ERROR;
    }
  }
  if (bluegreen::glue::wrapped_by_another(*us, ngx_http_bluegreen_init_upstream)) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"sticky\" cannot be used with \"bluegreen\" in upstream \"%V\" in %s:%ui, "
                  "write \"bluegreen_sticky KEY\"",
                  &us->host, us->file_name, us->line);
    return NGX_ERROR;
  }
  us->peer.init = ngx_http_bluegreen_init_peer;
  srv->initialized = true;
  return NGX_OK;
}

}  // extern "C"
