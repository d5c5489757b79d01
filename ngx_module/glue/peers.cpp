// See peers.hpp.
#include "ngx_module/glue/peers.hpp"

#if (NGX_HTTP_SSL)
#include <openssl/ssl.h>
#endif

namespace bluegreen::glue {

namespace {

void drop_session(Peer& peer) noexcept {
#if (NGX_HTTP_SSL)
  if (peer.session != nullptr) {
    ngx_ssl_free_session(static_cast<ngx_ssl_session_t*>(peer.session));
  }
#endif
  peer.session = nullptr;
}

void prepare_peer(const shm::Endpoint& endpoint, std::string_view release, Peer& peer) noexcept {
  sockaddr_storage address;
  char name[shm::kEndpointTextSize];
  const socklen_t length = shm::to_sockaddr(endpoint, address);
  const std::size_t name_length = shm::format_endpoint(endpoint, name);
  if (peer.length != length || peer.identity != endpoint.identity ||
      std::memcmp(peer.bytes, &address, length) != 0) {
    drop_session(peer);
  }
  peer.length = length;
  peer.name_length = static_cast<std::uint32_t>(name_length);
  peer.release_length = static_cast<std::uint32_t>(release.size());
  peer.identity = endpoint.identity;
  std::memcpy(peer.bytes, &address, length);
  std::memcpy(peer.bytes + length, name, name_length);
  std::memcpy(peer.bytes + length + name_length, release.data(), release.size());
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

}  // namespace

void prepare_peers(Upstream& upstream) noexcept {
  for (const shm::Color color : shm::kColors) {
    const shm::EndpointTable& table = upstream.table(color);
    Peers& peers = upstream.peers[shm::index_of(color)];
    for (std::uint32_t i = 0; i < table.count; ++i) {
      prepare_peer(table.endpoints[i], upstream.release(color), peers.list[i]);
      peers.shares[i].weight = table.endpoints[i].weight;
      peers.shares[i].credit = 0;
    }
    for (std::uint32_t i = table.count; i < shm::kMaxEndpoints; ++i) {
      drop_session(peers.list[i]);
      peers.list[i].length = 0;
    }
    peers.count = table.count;
    ++peers.serial;
  }
}

std::uint32_t count_up(const Peers& peers) noexcept {
  return peers.count;
}

std::uint32_t count_left(const PeerState& state) noexcept {
  const Peers& peers = state.upstream->peers[shm::index_of(state.color)];
  const core::Tried tried = state.serial == peers.serial ? state.tried : 0;
  return peers.count - static_cast<std::uint32_t>(__builtin_popcount(tried));
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
  Peers& peers = state.upstream->peers[shm::index_of(state.color)];
  if (state.serial != peers.serial) {
    state.tried = 0;
    state.serial = peers.serial;
  }
  const std::uint32_t index = core::pick(peers.shares, peers.count, state.tried);
  if (peers.count == 0 || index == core::kNoEndpoint) {
    return name_nobody(state, pc);
  }
  state.current = index;
  if (!hand_out(state, pc, peers.list[index])) {
    return NGX_ERROR;
  }
  shm::count(state.upstream->app->counters[shm::index_of(state.color)]->tries);
  return NGX_OK;
}

void give_back_peer(PeerState& state, ngx_peer_connection_t* pc, bool failed) noexcept {
  if (failed) {
    shm::count(state.upstream->app->counters[shm::index_of(state.color)]->failures);
  }
  // A cached connection that had died says nothing about its endpoint, and NGINX adds a try.
  if (!(failed && pc->cached != 0)) {
    state.tried |= core::Tried{1} << state.current;
  }
}

Peer* current_peer(const PeerState& state) noexcept {
  Peers& peers = state.upstream->peers[shm::index_of(state.color)];
  return state.serial == peers.serial && state.current < peers.count ? &peers.list[state.current]
                                                                     : nullptr;
}

}  // namespace bluegreen::glue
