// See peers.hpp.
#include "ngx_module/glue/peers.hpp"

#include "ngx_module/core/least_conn.hpp"
#include "ngx_module/glue/telemetry_figures.hpp"

#if (NGX_HTTP_SSL)
#include <openssl/ssl.h>
#endif

namespace bluegreen::glue {

namespace {

// What stays with an endpoint that was in the table before.
struct Known {
  core::Candidate candidate;
  void* session = nullptr;
  std::uint32_t ticket = 0;  // 0: it was not
};

struct Place {
  sockaddr_storage address;
  socklen_t length;
};

void drop_session([[maybe_unused]] void* session) noexcept {
#if (NGX_HTTP_SSL)
  if (session != nullptr) {
    ngx_ssl_free_session(static_cast<ngx_ssl_session_t*>(session));
  }
#endif
}

// The address with which this worker connects. NGINX's cache of connections compares its bytes, so
// they differ for a successor at the same address, and also for an endpoint that left the table and
// came back: what happened to its connections meanwhile nobody knows.
Place place_of(shm::Endpoint endpoint, std::uint32_t ticket) noexcept {
  endpoint.identity = shm::mix64(endpoint.identity + ticket);
  Place place;
  place.length = shm::to_sockaddr(endpoint, place.address);
  return place;
}

bool is_at(const Peer& peer, const Place& place) noexcept {
  return peer.length == place.length && std::memcmp(peer.bytes, &place.address, place.length) == 0;
}

// Takes what is known of an endpoint out of the list.
Known take_known(Peers& peers, const shm::Endpoint& endpoint) noexcept {
  Known known;
  for (std::uint32_t i = 0; i < peers.count; ++i) {
    Peer& peer = peers.list[i];
    if (peer.length != 0 && peer.identity == endpoint.identity &&
        is_at(peer, place_of(endpoint, peer.ticket))) {
      known = {peers.candidates[i], peer.session, peer.ticket};
      peer.session = nullptr;
      peer.length = 0;  // its twin in the new table is another one
      break;
    }
  }
  return known;
}

void write_peer(const shm::Endpoint& endpoint, const Place& place, std::string_view release,
                Peer& peer) noexcept {
  char name[shm::kEndpointTextSize];
  const std::size_t name_length = shm::format_endpoint(endpoint, name);
  peer.length = place.length;
  peer.name_length = static_cast<std::uint32_t>(name_length);
  peer.release_length = static_cast<std::uint32_t>(release.size());
  peer.identity = endpoint.identity;
  std::memcpy(peer.bytes, &place.address, place.length);
  std::memcpy(peer.bytes + place.length, name, name_length);
  std::memcpy(peer.bytes + place.length + name_length, release.data(), release.size());
}

// Slow start is for an endpoint that joins others: where all are new, all shares are the same.
void welcome(Upstream& upstream, Known* known, const shm::EndpointTable& table) noexcept {
  std::uint32_t met = 0;
  for (std::uint32_t i = 0; i < table.count; ++i) {
    met += known[i].ticket != 0 ? 1 : 0;
  }
  for (std::uint32_t i = 0; i < table.count; ++i) {
    core::Candidate& candidate = known[i].candidate;
    if (known[i].ticket == 0) {
      known[i].ticket = ++upstream.tickets;
      if (met != 0 && upstream.balance.rules.slow_start_ms != 0) {
        candidate.health.rises_from = ngx_current_msec;
      }
    }
    if (candidate.weight != core::kUnit * table.endpoints[i].weight) {
      core::set_weight(candidate, table.endpoints[i].weight);
    }
    candidate.credit = 0;  // turns are counted anew among those who are there now
  }
}

void prepare_color(Upstream& upstream, shm::Color color) noexcept {
  const shm::EndpointTable& table = upstream.table(color);
  Peers& peers = upstream.peers[shm::index_of(color)];
  if (peers.serial != 0 && peers.crc == table.crc && peers.generation == table.generation) {
    return;
  }
  Known known[shm::kMaxEndpoints];
  for (std::uint32_t i = 0; i < table.count; ++i) {
    known[i] = take_known(peers, table.endpoints[i]);
  }
  welcome(upstream, known, table);
  for (std::uint32_t i = 0; i < shm::kMaxEndpoints; ++i) {
    Peer& peer = peers.list[i];
    drop_session(peer.session);
    peer.session = nullptr;
    peer.length = 0;
    if (i < table.count) {
      write_peer(table.endpoints[i], place_of(table.endpoints[i], known[i].ticket),
                 upstream.release(color), peer);
      peer.session = known[i].session;
      peer.ticket = known[i].ticket;
      peers.candidates[i] = known[i].candidate;
      peers.tags[i] = shm::tag_of(table.endpoints[i], table.generation);
    }
  }
  peers.count = table.count;
  peers.troubled = true;  // until somebody asks
  peers.crc = table.crc;
  peers.generation = table.generation;
  ++peers.serial;
}

core::Field field_of(Upstream& upstream, Peers& peers, core::Probes probes) noexcept {
  return {peers.candidates, peers.count, upstream.balance.rules, ngx_current_msec, probes};
}

// All down by probes is as good as none, for a request that is to go there all the same.
core::Probes probes_for_a_try(const Peers& peers) noexcept {
  return peers.all_down() ? core::Probes::kIgnored : core::Probes::kCount;
}

Peers& peers_of(const PeerState& state) noexcept {
  return state.upstream->peers[shm::index_of(state.color)];
}

// What was tried are places in a list: in another list nothing was.
void follow_list(PeerState& state, const Peers& peers) noexcept {
  if (state.serial != peers.serial) {
    state.tried = 0;
    state.serial = peers.serial;
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

__attribute__((noinline)) std::uint32_t count_standing(Upstream& upstream, Peers& peers,
                                                       core::Tried tried,
                                                       core::Probes probes) noexcept {
  bool failed = peers.down != 0;
  for (std::uint32_t i = 0; i < peers.count; ++i) {
    failed = failed || peers.candidates[i].health.fails != 0;
  }
  peers.troubled = failed;
  return core::count_standing(field_of(upstream, peers, probes), tried);
}

__attribute__((noinline)) std::uint32_t pick_of_several(PeerState& state, Peers& peers) noexcept {
  const core::Probes probes = probes_for_a_try(peers);
  const core::Field field = field_of(*state.upstream, peers, probes);
  if (peers.troubled && state.tried == 0 &&
      count_standing(*state.upstream, peers, 0, probes) == 0) {
    core::forgive_all(field);
  }
  return state.upstream->balance.method == core::Method::kLeastConn
             ? core::pick_least_conn(field, state.tried)
             : core::pick_round_robin(field, state.tried);
}

// One endpoint alone is tried whatever is known of it (settle has refused what is not to be tried).
std::uint32_t pick(PeerState& state, Peers& peers) noexcept {
  if (__builtin_expect(static_cast<long>(peers.count == 1), 1) != 0) {
    return (state.tried & 1U) == 0 ? 0 : core::kNoEndpoint;
  }
  return pick_of_several(state, peers);
}

// Whether NGINX's cache gave out a connection that had died meanwhile: that says nothing about the
// endpoint, and NGINX adds a try. An answer, or a timeout, says something.
bool died_in_cache(const PeerState& state, const ngx_peer_connection_t& pc) noexcept {
  const ngx_connection_t* const c = pc.connection;
  return pc.cached != 0 && state.request->upstream->headers_in.status_n == 0 &&
         !(c != nullptr && (c->read->timedout != 0 || c->write->timedout != 0));
}

__attribute__((noinline)) void count_failure(PeerState& state, ngx_peer_connection_t* pc,
                                             core::Candidate& candidate) noexcept {
  Upstream& upstream = *state.upstream;
  shm::count(upstream.app->counters[shm::index_of(state.color)]->failures);
  if (died_in_cache(state, *pc)) {
    return;
  }
  state.tried |= core::Tried{1} << state.current;
  const core::HealthRules& rules = upstream.balance.rules;
  const bool was_fit = core::usable(candidate.health, rules, ngx_current_msec);
  core::fail(candidate, rules, ngx_current_msec);
  peers_of(state).troubled = true;
  if (was_fit && peers_of(state).count > 1 && &candidate != &upstream.gone &&
      !core::usable(candidate.health, rules, ngx_current_msec)) {
    ngx_log_error(NGX_LOG_WARN, pc->log, 0, "bluegreen: endpoint %V is left out for %uLms",
                  pc->name, static_cast<uint64_t>(rules.fail_timeout_ms));
  }
}

}  // namespace

void prepare_peers(Upstream& upstream) noexcept {
  for (const shm::Color color : shm::kColors) {
    prepare_color(upstream, color);
  }
  follow_health(upstream);
}

std::uint32_t count_up(Upstream& upstream, shm::Color color) noexcept {
  Peers& peers = upstream.peers[shm::index_of(color)];
  return peers.troubled ? count_standing(upstream, peers, 0, core::Probes::kCount) : peers.count;
}

std::uint32_t count_left(PeerState& state, bool anyway) noexcept {
  Peers& peers = peers_of(state);
  follow_list(state, peers);
  if (!peers.troubled && state.tried == 0) {
    return peers.count;
  }
  const core::Probes probes = anyway ? probes_for_a_try(peers) : core::Probes::kCount;
  const std::uint32_t standing = count_standing(*state.upstream, peers, state.tried, probes);
  if (standing != 0 || state.tried != 0) {
    return standing;
  }
  // Before the first try, all failed is as good as none failed (pick_of_several).
  return probes == core::Probes::kIgnored ? peers.count : peers.count - peers.down;
}

// No endpoint: a name for the log all the same, and what the variables show.
ngx_int_t name_nobody(PeerState& state, ngx_peer_connection_t* pc) noexcept {
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

ngx_int_t take_peer(PeerState& state, ngx_peer_connection_t* pc) noexcept {
  Peers& peers = peers_of(state);
  follow_list(state, peers);
  const std::uint32_t index = pick(state, peers);
  if (__builtin_expect(static_cast<long>(index == core::kNoEndpoint), 0) != 0) {
    return name_nobody(state, pc);
  }
  const Peer& peer = peers.list[index];
  if (!hand_out(state, pc, peer)) {
    return NGX_ERROR;
  }
  core::Candidate& candidate = peers.candidates[index];
  state.candidate = &candidate;
  state.ticket = peer.ticket;
  state.current = index;
  ++candidate.busy;
  if (__builtin_expect(static_cast<long>(candidate.health.fails != 0), 0) != 0) {
    core::note_try(candidate.health, state.upstream->balance.rules, ngx_current_msec);
  }
  shm::count(state.upstream->app->counters[shm::index_of(state.color)]->tries);
  begin_try(state);
  return NGX_OK;
}

void give_back_peer(PeerState& state, ngx_peer_connection_t* pc, bool failed) noexcept {
  Peers& peers = peers_of(state);
  core::Candidate* candidate = state.candidate;
  if (__builtin_expect(static_cast<long>(state.serial != peers.serial), 0) != 0) {
    const Peer* const peer = current_peer(state);
    candidate = peer != nullptr ? &peers.candidates[peer - peers.list] : &state.upstream->gone;
  }
  --candidate->busy;
  end_try(state, *pc, failed);
  if (__builtin_expect(static_cast<long>(failed), 0) != 0) {
    count_failure(state, pc, *candidate);
    return;
  }
  state.tried |= core::Tried{1} << state.current;
  if (__builtin_expect(static_cast<long>(candidate->health.fails != 0), 0) != 0) {
    core::note_success(candidate->health, state.upstream->balance.rules, ngx_current_msec);
  }
}

Peer* current_peer(const PeerState& state) noexcept {
  Peers& peers = peers_of(state);
  if (__builtin_expect(static_cast<long>(state.serial == peers.serial), 1) != 0) {
    return &peers.list[state.current];
  }
  for (std::uint32_t i = 0; i < peers.count; ++i) {
    if (peers.list[i].ticket == state.ticket) {
      return &peers.list[i];
    }
  }
  return nullptr;
}

}  // namespace bluegreen::glue
