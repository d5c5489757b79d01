// See settle.hpp.
#include "ngx_module/glue/settle.hpp"

#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/peers.hpp"
#include "ngx_module/glue/sticky.hpp"

namespace bluegreen::glue {

namespace {

using core::Admission;
using core::Choice;
using core::color_bit;
using core::Reason;

bool is_preview(const PeerState& state) noexcept {
  return is_preview(*state.main, *state.upstream);
}

Admission admission_of(const PeerState& state) noexcept {
  if (__builtin_expect(static_cast<long>(is_preview(state)), 0) != 0) {
    return Admission::kPreview;
  }
  return state.hold != nullptr || is_in_flight(state) ? Admission::kAgain : Admission::kFirst;
}

bool may_fall_back(const PeerState& state, const shm::Route& route) noexcept {
  const shm::Color second = shm::other(state.color);
  return route.has(shm::kFallback) && !route.closed(second) &&
         (state.exhausted & color_bit(second)) == 0 &&
         count_up(state.upstream->peers[shm::index_of(second)]) != 0;
}

// A retry stays with its color while that is open and has something left, or nobody else may serve.
bool stays(const PeerState& state, const shm::Route& route) noexcept {
  return state.hold != nullptr && !is_preview(state) && !route.closed(state.color) &&
         (count_left(state) != 0 || !may_fall_back(state, route));
}

core::Colors unusable_colors(const PeerState& state, const shm::Route& route,
                             bool preview) noexcept {
  core::Colors out = state.exhausted;
  for (const shm::Color color : shm::kColors) {
    const Peers& peers = state.upstream->peers[shm::index_of(color)];
    if (preview ? peers.count == 0 : route.has(shm::kFallback) && count_up(peers) == 0) {
      out = static_cast<core::Colors>(out | color_bit(color));
    }
  }
  return out;
}

// Everything that needs more than the active color.
__attribute__((noinline)) Choice choose_slowly(PeerState& state, const shm::Route& route) noexcept {
  const bool preview = is_preview(state);
  core::Asker asker;
  asker.preview = preview;
  const bool failed = state.hold != nullptr && !preview && !route.closed(state.color);
  if (failed) {
    state.exhausted = static_cast<core::Colors>(state.exhausted | color_bit(state.color));
  }
  asker.unusable = unusable_colors(state, route, preview);
  const shm::Color idle = shm::other(route.active);
  // A color without endpoints has no share: its clients are served by the active one.
  if (!preview && route.weight != 0 && state.upstream->peers[shm::index_of(idle)].count != 0) {
    asker.position = position_of(state, route);
  }
  Choice choice = core::choose(route, asker);
  if (failed && choice.color != state.color) {
    choice.reason = Reason::kFallback;
  }
  return choice;
}

Choice choose_color(PeerState& state, const shm::Route& route) noexcept {
  if (state.hold != nullptr && stays(state, route)) {
    return {state.color, state.reason};
  }
  const bool simple = route.weight == 0 && !route.has(shm::kFallback) &&
                      state.main->previews == 0 && state.exhausted == 0;
  return __builtin_expect(static_cast<long>(simple), 1) != 0 ? core::choose(route, {})
                                                             : choose_slowly(state, route);
}

// Once for each request and color that it is in flight on.
void count_admitted(shm::Counters& counters, Reason reason) noexcept {
  shm::count(counters.requests);
  if (__builtin_expect(static_cast<long>(reason == Reason::kActive), 1) != 0) {
    return;
  }
  if (reason == Reason::kWeight) {
    shm::count(counters.weighted);
  } else if (reason == Reason::kPreview) {
    shm::count(counters.previews);
  } else if (reason == Reason::kFallback) {
    shm::count(counters.fallbacks);
  }
}

Reason shown(const PeerState& state, Reason reason) noexcept {
  const bool waited = state.main->held && (reason == Reason::kActive || reason == Reason::kWeight);
  return waited ? Reason::kHold : reason;
}

// An application that was added to the region since this worker looked. The caller sees to it that
// this is asked behind the announcement too.
bool still_unknown(Upstream& upstream) noexcept {
  return upstream.route.index() == shm::kMaxApps && !resolve_app(*upstream.conf, upstream);
}

}  // namespace

Settled settle(PeerState& state) noexcept {
  Upstream& upstream = *state.upstream;
  core::AcceptedRoute& accepted = upstream.route;
  const Admission admission = admission_of(state);
  for (; state.moves <= shm::kMaxMoves; ++state.moves) {
    if (state.looked) {
      state.looked = false;
    } else {
      refresh(*upstream.conf, upstream);
    }
    if (__builtin_expect(static_cast<long>(accepted.index() == shm::kMaxApps), 0) != 0) {
      resolve_app(*upstream.conf, upstream);
    }
    if (accepted.basis() == core::Basis::kNothing) {
      return Settled::kNothing;
    }
    const shm::Route& route = accepted.snapshot().route;
    if (admission == Admission::kFirst && route.has(shm::kMaintenance)) {
      return Settled::kMaintenance;
    }
    if (admission == Admission::kFirst && route.has(shm::kHold) && hold_in_force(upstream)) {
      return Settled::kHeld;
    }
    const Choice choice = choose_color(state, route);
    if (!choice.found()) {
      return Settled::kNobody;
    }
    if (state.hold != nullptr && state.color != choice.color) {
      release_color(state);
      state.tried = 0;
    }
    const bool again = state.hold != nullptr;
    state.color = choice.color;
    state.reason = again ? choice.reason : shown(state, choice.reason);
    if (upstream.peers[shm::index_of(choice.color)].count == 0) {
      return Settled::kYes;
    }
    if (!again && !hold_color(state, choice.color)) {
      return Settled::kNoMemory;
    }
    // Behind the announcement: an application that was added meanwhile, or a word that moved.
    if ((accepted.index() != shm::kMaxApps || still_unknown(upstream)) &&
        accepted.admits(choice.color, admission)) {
      if (!again && is_only_user(state)) {
        count_admitted(*upstream.app->counters[shm::index_of(choice.color)], choice.reason);
      }
      return Settled::kYes;
    }
    release_color(state);
    shm::count(upstream.app->counters[shm::index_of(choice.color)]->withdrawn);
  }
  return Settled::kMoving;
}

std::uint32_t most_tries(const PeerState& state) noexcept {
  const Upstream& upstream = *state.upstream;
  const shm::Route& route = upstream.route.snapshot().route;
  const std::uint32_t active = upstream.peers[shm::index_of(route.active)].count;
  const std::uint32_t idle = upstream.peers[shm::index_of(shm::other(route.active))].count;
  const bool simple = route.weight == 0 && !route.has(shm::kFallback) && !is_preview(state);
  const std::uint32_t most = simple ? active : active + idle;
  return most != 0 ? most : 1;
}

std::uint32_t tries_left(const PeerState& state) noexcept {
  const std::uint32_t own = count_left(state);
  const bool both =
      !is_preview(state) && may_fall_back(state, state.upstream->route.snapshot().route);
  const Peers& second = state.upstream->peers[shm::index_of(shm::other(state.color))];
  const std::uint32_t left = own + (both ? count_up(second) : 0);
  return left != 0 ? left : 1;
}

}  // namespace bluegreen::glue
