// See balancer.hpp. A try's walk: look at the word, choose a color, announce, ask whether the word
// still admits the color, choose an endpoint, hand out copies of its address and name.
//
// Ways out: NGX_OK; NGX_BUSY when the color has no endpoint left (NGINX answers 502 at once);
// 503 when no color admits the request (see refuse); NGX_ERROR without memory (500).
#include "ngx_module/glue/balancer.hpp"

#include "ngx_module/core/choose.hpp"
#include "ngx_module/glue/inflight.hpp"
#include "ngx_module/glue/ngx_compat.hpp"

namespace bluegreen::glue {

namespace {

// Ends the request with 503. A balancer can only say "busy" (502) or "error" (500), so the upstream
// is finalized here, by the cleanup that NGINX itself would use, then the request; when NGINX goes
// on with our NGX_BUSY it finds an upstream that is finalized already and drops one reference. Two
// references are taken for these two. A cached response that may be served stale is left to NGINX.
ngx_int_t refuse(PeerState& state, const char* reason) noexcept {
  ngx_http_request_t* const r = state.request;
  ngx_http_upstream_t* const u = r->upstream;
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                "bluegreen: no color of application \"%*s\" admits this request: %s",
                state.upstream->app->name.size(), state.upstream->app->name.data(), reason);
#if (NGX_HTTP_CACHE)
  if (r->cache != nullptr && u->cache_status == NGX_HTTP_CACHE_EXPIRED) {
    return NGX_BUSY;
  }
#endif
  if (u->cleanup == nullptr || *u->cleanup == nullptr) {
    return NGX_BUSY;
  }
  ++r->main->count;
  ++r->main->count;
  (*u->cleanup)(r);
  ngx_http_finalize_request(r, NGX_HTTP_SERVICE_UNAVAILABLE);
  return NGX_BUSY;
}

// A retry stays with its color while the color is open; everything else is chosen anew.
core::Choice choose_color(const PeerState& state, const shm::Route& route) noexcept {
  if (state.hold != nullptr && !route.closed(state.color)) {
    return {state.color, core::Reason::kActive};
  }
  return core::choose(route, {});
}

enum class Settled : std::uint8_t { kYes, kNothing, kNobody, kMoving, kNoMemory };

// The protocol of shm/in_flight.hpp: on kYes the color is held, or has no endpoint at all.
Settled settle(PeerState& state) noexcept {
  Upstream& upstream = *state.upstream;
  core::AcceptedRoute& route = upstream.route;
  for (; state.moves <= shm::kMaxMoves; ++state.moves) {
    if (state.looked) {
      state.looked = false;
    } else {
      refresh(*upstream.conf, upstream);
    }
    if (__builtin_expect(static_cast<long>(route.index() == shm::kMaxApps), 0) != 0) {
      resolve_app(*upstream.conf, upstream);
    }
    if (route.basis() == core::Basis::kNothing) {
      return Settled::kNothing;
    }
    const core::Choice choice = choose_color(state, route.snapshot().route);
    if (!choice.found()) {
      return Settled::kNobody;
    }
    if (state.hold != nullptr && state.color != choice.color) {
      release_color(state);
      state.tried = 0;
    }
    state.color = choice.color;
    if (upstream.peers[shm::index_of(choice.color)].count == 0) {
      return Settled::kYes;
    }
    if (state.hold == nullptr && !hold_color(state, choice.color)) {
      return Settled::kNoMemory;
    }
    // Behind the announcement: an application that was added meanwhile, or a word that moved.
    if ((route.index() != shm::kMaxApps || !resolve_app(*upstream.conf, upstream)) &&
        route.admits(choice.color)) {
      return Settled::kYes;
    }
    release_color(state);
    shm::count(upstream.app->counters[shm::index_of(choice.color)]->withdrawn);
  }
  return Settled::kMoving;
}

const char* reason_of(Settled settled) noexcept {
  switch (settled) {
    case Settled::kNothing:
      return "the control file is damaged and nothing was accepted before";
    case Settled::kMoving:
      return "the route moved too often while it was choosing";
    default:
      return "the active color is closed";
  }
}

// An IPv4 endpoint with a short release fits: copied whole, without asking how much of it counts.
constexpr std::size_t kSmall = 64;
static_assert(kSmall <= sizeof(HandedOut::bytes));

// pc->name is read in the log phase, the variables too, pc->sockaddr until our free: all of them
// outlive the table.
bool hand_out(PeerState& state, ngx_peer_connection_t* pc, const Peer& peer) noexcept {
  const std::size_t address = peer.length;
  const std::size_t name = peer.name_length;
  const std::size_t release = peer.release_length;
  const std::size_t size = address + name + release;
  HandedOut* to = state.spare;
  state.spare = nullptr;
  if (to == nullptr) {
    to = static_cast<HandedOut*>(ngx_palloc(
        state.request->pool, offsetof(HandedOut, bytes) + (size < kSmall ? kSmall : size)));
    if (to == nullptr) {
      return false;
    }
  }
  if (size <= kSmall) {
    std::memcpy(to->bytes, peer.bytes, kSmall);
  } else {
    std::memcpy(to->bytes, peer.bytes, size);
  }
  auto* const bytes = reinterpret_cast<u_char*>(to->bytes);
  to->name = {name, bytes + address};
  pc->sockaddr = reinterpret_cast<sockaddr*>(bytes);
  pc->socklen = static_cast<socklen_t>(address);
  pc->name = &to->name;
  state.release = {release, bytes + address + name};
  return true;
}

// No endpoint: a name for the log all the same, and what the variables show.
ngx_int_t busy(PeerState& state, ngx_peer_connection_t* pc) noexcept {
  const std::string_view release = state.upstream->release(state.color);
  auto* const memory =
      static_cast<u_char*>(ngx_palloc(state.request->pool, sizeof(ngx_str_t) + release.size()));
  if (memory == nullptr) {
    return NGX_ERROR;
  }
  auto* const name = reinterpret_cast<ngx_str_t*>(memory);
  *name = str(state.upstream->app->name);  // lives as long as the cycle
  pc->name = name;
  state.release.data = memory + sizeof(ngx_str_t);
  state.release.len = release.size();
  std::memcpy(state.release.data, release.data(), release.size());
  return NGX_BUSY;
}

ngx_int_t get_peer(PeerState& state, ngx_peer_connection_t* pc) noexcept {
  pc->cached = 0;
  pc->connection = nullptr;
  const Settled settled = settle(state);
  if (settled == Settled::kNoMemory) {
    return NGX_ERROR;
  }
  if (settled != Settled::kYes) {
    return busy(state, pc) == NGX_ERROR ? NGX_ERROR : refuse(state, reason_of(settled));
  }
  state.generation = state.upstream->route.snapshot().generation;
  state.decided = true;
  Peers& peers = state.upstream->peers[shm::index_of(state.color)];
  if (state.serial != peers.serial) {
    state.tried = 0;
    state.serial = peers.serial;
  }
  const std::uint32_t index = core::pick(peers.shares, peers.count, state.tried);
  if (peers.count == 0 || index == core::kNobody) {
    return busy(state, pc);
  }
  state.current = index;
  if (!hand_out(state, pc, peers.list[index])) {
    return NGX_ERROR;
  }
  shm::count(state.upstream->app->counters[shm::index_of(state.color)]->tries);
  return NGX_OK;
}

void free_peer(PeerState& state, ngx_peer_connection_t* pc, ngx_uint_t flags) noexcept {
  const bool failed = (flags & NGX_PEER_FAILED) != 0;
  if (failed) {
    shm::count(state.upstream->app->counters[shm::index_of(state.color)]->failures);
  }
  // A cached connection that had died says nothing about its endpoint, and NGINX adds a try.
  if (!(failed && pc->cached != 0)) {
    state.tried |= core::Tried{1} << state.current;
  }
  if (pc->tries != 0) {
    --pc->tries;
  }
}

// The endpoint that this try went to, unless the table has been replaced since.
Peer* current_peer(const PeerState& state) noexcept {
  Peers& peers = state.upstream->peers[shm::index_of(state.color)];
  return state.serial == peers.serial && state.current < peers.count ? &peers.list[state.current]
                                                                     : nullptr;
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
  bluegreen::glue::free_peer(*static_cast<PeerState*>(data), pc, state);
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
  PeerState* const state = bluegreen::glue::obtain_state(r, upstream);
  if (state == nullptr) {
    return NGX_ERROR;
  }
  if (state->hold != nullptr && state->upstream->app != upstream.app) {
    bluegreen::glue::release_color(*state);  // redirected to another application
  }
  state->upstream = &upstream;
  state->tried = 0;
  state->moves = 0;
  bluegreen::glue::refresh(*upstream.conf, upstream);
  state->looked = true;
  const auto active = bluegreen::shm::index_of(upstream.route.snapshot().route.active);
  const std::uint32_t count = upstream.peers[active].count;
  ngx_peer_connection_t& pc = r->upstream->peer;
  pc.data = state;
  pc.get = ngx_http_bluegreen_get_peer;
  pc.free = ngx_http_bluegreen_free_peer;
  pc.tries = count != 0 ? count : 1;
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
  us->peer.init = ngx_http_bluegreen_init_peer;
  srv->initialized = true;
  return NGX_OK;
}

}  // extern "C"
