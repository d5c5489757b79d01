// See settle.hpp.
#include "ngx_module/glue/settle.hpp"

#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/peers.hpp"
#include "ngx_module/glue/probe_conf.hpp"
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
         (state.exhausted & color_bit(second)) == 0 && count_up(*state.upstream, second) != 0;
}

// A retry stays with its color while that is open and has something left, or nobody else may serve.
bool stays(PeerState& state, const shm::Route& route) noexcept {
  return state.hold != nullptr && !is_preview(state) && !route.closed(state.color) &&
         (count_left(state, false) != 0 || !may_fall_back(state, route));
}

core::Colors unusable_colors(const PeerState& state, const shm::Route& route,
                             bool preview) noexcept {
  core::Colors out = state.exhausted;
  for (const shm::Color color : shm::kColors) {
    const bool empty = state.upstream->peers[shm::index_of(color)].count == 0;
    if (preview ? empty : route.has(shm::kFallback) && count_up(*state.upstream, color) == 0) {
      out = static_cast<core::Colors>(out | color_bit(color));
    }
  }
  return out;
}

Choice choose_color(PeerState& state, const shm::Route& route) noexcept {
  if (stays(state, route)) {
    return {state.color, state.reason};
  }
  const bool preview = is_preview(state);
  if (preview) {  // what it is answered is for nobody else, a failure neither
    state.request->upstream->cacheable = 0;
    state.request->upstream->store = 0;
  }
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

// Of the requests that are counted, those that are somewhere else than with the active color.
void count_reason(shm::Counters& counters, Reason reason) noexcept {
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

// `when_all_down=refuse`: nobody is sent to a color that the probes found down as a whole.
bool refuses(const Upstream& upstream, shm::Color color) noexcept {
  return upstream.peers[shm::index_of(color)].all_down() &&
         upstream.app->probe->settings.refuse_when_all_down;
}

// Every way there is; see settle for the one that nearly all requests take.
__attribute__((noinline)) Settled settle_by_all_rules(PeerState& state) noexcept {
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
    if (refuses(upstream, choice.color)) {
      return Settled::kAllDown;
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
        shm::Counters& counters = *upstream.app->counters[shm::index_of(choice.color)];
        shm::count(counters.requests);
        count_reason(counters, choice.reason);
      }
      return Settled::kYes;
    }
    release_color(state);
    shm::count(upstream.app->counters[shm::index_of(choice.color)]->withdrawn);
  }
  return Settled::kMoving;
}

// peer.init has looked at the word, and it asks for nothing that settle leaves out.
bool goes_straight(const PeerState& state) noexcept {
  const Upstream& upstream = *state.upstream;
  return state.looked && upstream.outlook.straight && state.hold == nullptr &&
         state.main->previews == 0;
}

}  // namespace

// The common case is the first turn of the loop of settle_by_all_rules, with all that is not asked
// for left out.
Settled settle(PeerState& state) noexcept {
  if (__builtin_expect(static_cast<long>(!goes_straight(state)), 0) != 0) {
    return settle_by_all_rules(state);
  }
  Upstream& upstream = *state.upstream;
  const shm::Route& route = upstream.route.snapshot().route;
  Choice choice = {route.active, Reason::kActive};
  if (upstream.outlook.split) {
    choice.color = core::own_color(route, position_of(state, route));
    choice.reason = choice.color == route.active ? Reason::kActive : Reason::kWeight;
  }
  if (upstream.outlook.fallback && upstream.peers[shm::index_of(choice.color)].troubled) {
    return settle_by_all_rules(state);
  }
  state.looked = false;
  state.reason = shown(state, choice.reason);
  if (!hold_color(state, choice.color)) {
    return Settled::kNoMemory;
  }
  shm::Counters& counters = *upstream.app->counters[shm::index_of(choice.color)];
  if (__builtin_expect(static_cast<long>(upstream.route.admits(choice.color, Admission::kFirst)),
                       1) != 0) {
    if (is_only_user(state)) {
      shm::count(counters.requests);
      if (choice.reason != Reason::kActive) {
        count_reason(counters, choice.reason);
      }
    }
    return Settled::kYes;
  }
  release_color(state);
  shm::count(counters.withdrawn);
  ++state.moves;
  return settle_by_all_rules(state);
}

void note_outlook(Upstream& upstream) noexcept {
  const shm::Route& route = upstream.route.snapshot().route;
  const shm::Color idle = shm::other(route.active);
  const std::uint32_t here = upstream.peers[shm::index_of(route.active)].count;
  const std::uint32_t there = upstream.peers[shm::index_of(idle)].count;
  Outlook& outlook = upstream.outlook;
  outlook.straight = upstream.route.index() != shm::kMaxApps &&
                     upstream.route.basis() != core::Basis::kNothing && !route.has(shm::kHold) &&
                     !route.has(shm::kMaintenance) && here != 0 &&
                     !refuses(upstream, route.active) && !refuses(upstream, idle);
  outlook.split = route.weight != 0 && !route.closed(idle) && there != 0;
  outlook.fallback = route.has(shm::kFallback);
  const bool second = outlook.fallback && !route.closed(idle);
  const std::uint32_t most = route.weight != 0 || second ? here + there : here;
  outlook.tries = most != 0 ? most : 1;
  outlook.exact = route.weight == 0 || (outlook.fallback && outlook.split);
}

std::uint32_t tries_left(PeerState& state) noexcept {
  Upstream& upstream = *state.upstream;
  const bool second = !is_preview(state) && may_fall_back(state, upstream.route.snapshot().route);
  std::uint32_t left = count_left(state, !second);
  if (second) {
    left += count_up(upstream, shm::other(state.color));
  }
  return left != 0 ? left : 1;
}

}  // namespace bluegreen::glue
