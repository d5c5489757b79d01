// See inflight.hpp.
#include "ngx_module/glue/inflight.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace bluegreen::glue {

namespace {

// Under the address sanitizer, text of an ended request is spoiled and may not be touched, as if it
// had been freed.
void open_handed_out([[maybe_unused]] RequestState& state) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(&state.handed_out, sizeof(state.handed_out));
#endif
}

void close_handed_out([[maybe_unused]] RequestState& state) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  std::memset(&state.handed_out, 0xA5, sizeof(state.handed_out));
  ASAN_POISON_MEMORY_REGION(&state.handed_out, sizeof(state.handed_out));
#endif
}

void let_go(App& app, std::size_t color) noexcept {
  --app.held[color];
  shm::withdraw(app.counters[color]->in_flight);
}

// 499 is NGINX's own word for a client that left before there was an answer.
__attribute__((always_inline)) inline void count_status(shm::Counters& counters,
                                                        ngx_uint_t status) noexcept {
  if (status < 100 || status > 599 || status == NGX_HTTP_CLIENT_CLOSED_REQUEST) {
    shm::count(counters.no_response);
  } else {
    shm::count(counters.responses[status / 100 - 1]);
  }
}

void count_end(shm::Counters& counters, const ngx_http_request_t& r) noexcept {
  count_status(counters, r.err_status != 0 ? r.err_status : r.headers_out.status);
}

// What the upstream said that was asked last, 0 when nothing came: a redirect has taken the
// answer's place.
ngx_uint_t last_status(const ngx_http_request_t& r) noexcept {
  const ngx_array_t* const states = r.upstream_states;
  for (ngx_uint_t i = states != nullptr ? states->nelts : 0; i-- > 0;) {
    const auto& state = static_cast<const ngx_http_upstream_state_t*>(states->elts)[i];
    if (state.status != 0) {
      return state.status;
    }
  }
  return 0;
}

extern "C" void ngx_http_bluegreen_request_ended(void* data) {
  auto* const state = static_cast<RequestState*>(data);
  Hold* hold = &state->first;
  do {
    for (std::size_t color = 0; color < 2; ++color) {
      if (hold->users[color] != 0) {
        count_end(*hold->app->counters[color], *state->request);
        let_go(*hold->app, color);
        hold->users[color] = 0;
      }
    }
    hold = hold->next;
  } while (hold != nullptr);
  close_handed_out(*state);
  state->home->give_back(state);
}

RequestState* state_behind(ngx_http_request_t* main) noexcept {
  for (ngx_pool_cleanup_t* cleanup = main->pool->cleanup; cleanup != nullptr;
       cleanup = cleanup->next) {
    if (cleanup->handler == ngx_http_bluegreen_request_ended) {
      return static_cast<RequestState*>(cleanup->data);
    }
  }
  return nullptr;
}

PeerState* context_of(ngx_http_request_t* r) noexcept {
  return static_cast<PeerState*>(ngx_http_get_module_ctx(r, ngx_http_bluegreen_module));
}

RequestState* find_main(ngx_http_request_t* main) noexcept {
  const PeerState* const own = context_of(main);
  return own != nullptr ? own->main : state_behind(main);
}

RequestState* make_main(ngx_http_request_t* main, MainConf& conf) noexcept {
  auto& states = conf.states;
  RequestState* const state = states.take();
  if (state == nullptr) {
    return nullptr;
  }
  open_handed_out(*state);
  state->peer = PeerState{};
  state->peer.request = main;
  state->peer.main = state;
  state->peer.spare = &state->handed_out;
  state->first = Hold{};
  state->first.position = core::kUnplaced;
  state->request = main;
  state->home = &states;
  state->previews = 0;
  state->held = false;
  state->refused_by = nullptr;
  // As ngx_pool_cleanup_add does, with a record of our own.
  state->cleanup = {ngx_http_bluegreen_request_ended, state, main->pool->cleanup};
  main->pool->cleanup = &state->cleanup;
  return state;
}

}  // namespace

Hold* further_hold(RequestState& state, App& app) noexcept {
  Hold* hold = &state.first;
  while (hold->app != &app) {
    if (hold->next == nullptr) {
      hold->next = static_cast<Hold*>(ngx_pcalloc(state.request->pool, sizeof(Hold)));
      if (hold->next == nullptr) {
        return nullptr;
      }
      hold->next->app = &app;
      hold->next->position = core::kUnplaced;
    }
    hold = hold->next;
  }
  return hold;
}

PeerState* obtain_state(ngx_http_request_t* r, MainConf& conf) noexcept {
  if (PeerState* const own = context_of(r)) {
    return own;
  }
  ngx_http_request_t* const main = r->main;
  // A fresh main request has no state to be found: the common case does not search.
  const bool fresh = r == main && r->internal == 0 && r->filter_finalize == 0;
  RequestState* state = fresh ? nullptr : find_main(main);
  if (state == nullptr) {
    state = make_main(main, conf);
    if (state == nullptr) {
      return nullptr;
    }
    if (r != main) {
      // Of the subrequests that came first (auth_request): the main request must not be taken for
      // one without a state.
      ngx_http_set_ctx(main, &state->peer, ngx_http_bluegreen_module);
    }
  }
  PeerState* peer = &state->peer;
  if (r != main) {
    peer = static_cast<PeerState*>(ngx_pcalloc(r->pool, sizeof(PeerState)));
    if (peer == nullptr) {
      return nullptr;
    }
    peer->request = r;
    peer->main = state;
  }
  ngx_http_set_ctx(r, peer, ngx_http_bluegreen_module);
  return peer;
}

const PeerState* find_state(ngx_http_request_t* r) noexcept {
  if (const PeerState* const own = context_of(r)) {
    return own;
  }
  const RequestState* const state = find_main(r->main);
  return state != nullptr ? &state->peer : nullptr;
}

void end_color(PeerState& state) noexcept {
  const std::size_t c = shm::index_of(state.color);
  if (state.hold->users[c] == 1) {
    count_status(*state.hold->app->counters[c], last_status(*state.request));
  }
  release_color(state);
}

void release_color(PeerState& state) noexcept {
  Hold* const hold = state.hold;
  state.hold = nullptr;
  const std::size_t c = shm::index_of(state.color);
  if (hold != nullptr && --hold->users[c] == 0) {
    let_go(*hold->app, c);
  }
}

bool is_in_flight(const PeerState& state) noexcept {
  return is_in_flight(*state.main, *state.upstream->app);
}

bool is_in_flight(const RequestState& state, const App& app) noexcept {
  const Hold* hold = &state.first;
  while (hold != nullptr && hold->app != &app) {
    hold = hold->next;
  }
  return hold != nullptr && (hold->users[0] | hold->users[1]) != 0;
}

bool is_only_user(const PeerState& state) noexcept {
  return state.hold->users[shm::index_of(state.color)] == 1;
}

core::Position* split_position(PeerState& state) noexcept {
  Hold* const hold = hold_of(*state.main, *state.upstream->app);
  return hold != nullptr ? &hold->position : nullptr;
}

}  // namespace bluegreen::glue
