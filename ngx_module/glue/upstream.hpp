// The module's configuration and the state behind it: one MainConf a cycle, one Upstream for each
// upstream block with `bluegreen` in it.
//
// Everything lives in the cycle's pool; close_cycle (a cleanup of that pool) unmaps and closes.
// Made by the configuration's parser in the master, inherited by fork, changed by each worker for
// itself: one thread.
#pragma once

#include "ngx_module/core/accepted_route.hpp"
#include "ngx_module/core/balance_settings.hpp"
#include "ngx_module/core/block_pool.hpp"
#include "ngx_module/core/candidate.hpp"
#include "ngx_module/core/split.hpp"
#include "ngx_module/glue/control_attachment.hpp"
#include "ngx_module/glue/gate_state.hpp"
#include "ngx_module/glue/ngx.hpp"
#include "ngx_module/glue/own_timer.hpp"
#include "ngx_module/glue/telemetry_writer.hpp"

struct ngx_http_bluegreen_main_conf_t;

namespace bluegreen::glue {

using MainConf = ngx_http_bluegreen_main_conf_t;
struct RequestState;
struct Prober;

// An endpoint as a try needs it, made when a table is accepted: the bytes of pc->sockaddr, of
// pc->name and of $bluegreen_release one after the other, for a single copy into memory that the
// request keeps.
struct Peer {
  socklen_t length;
  std::uint32_t name_length;
  std::uint32_t release_length;
  std::uint32_t ticket;  // its own for as long as the endpoint stays, whatever place it has
  std::uint64_t identity;
  void* session;  // ssl_session_st, for https upstreams
  char bytes[sizeof(sockaddr_storage) + shm::kEndpointTextSize + shm::kReleaseSize];
};

struct Peers {
  std::uint32_t count = 0;
  std::uint32_t serial = 0;      // another one whenever the list was made anew
  bool troubled = false;         // one may have failed or be down by probes; false: none is
  std::uint32_t down = 0;        // by probes, of `count` (probed_health.cpp)
  std::uint32_t crc = 0;         // of the table that it was made from
  std::uint64_t generation = 0;  // and when that was published
  core::Candidate candidates[shm::kMaxEndpoints];
  std::uint64_t tags[shm::kMaxEndpoints] = {};  // of their health words (shm/health_word.hpp)
  Peer list[shm::kMaxEndpoints] = {};

  bool all_down() const noexcept { return down != 0 && down == count; }
};

// One key of bluegreen_sticky.
struct StickyKey {
  ngx_int_t variable;              // the index of the one that is the whole key; NGX_ERROR: none is
  ngx_str_t cookie;                // in lower case, when that is $cookie_NAME; else empty
  ngx_http_complex_value_t value;  // else
};

// What follows from the word and the tables in force, worked out when they are accepted
// (settle.hpp).
struct Outlook {
  bool straight = false;  // nobody waits, and every color that a first try may go to has endpoints
  bool split = false;     // the weight gives the color that is not active a share
  bool fallback = false;
  bool exact = false;       // `tries` is what a first try has, while no endpoint has failed
  std::uint32_t tries = 1;  // the most that a request can need which is no preview
};

struct Upstream {
  MainConf* conf = nullptr;
  App* app = nullptr;
  core::AcceptedRoute route;
  core::Split split;
  const StickyKey* keys = nullptr;  // bluegreen_sticky
  ngx_uint_t key_count = 0;
  std::uint64_t seed = 0;  // of their positions
  GateState gate;
  core::BalanceSettings balance;  // bluegreen_balance
  const Probe* probe = nullptr;   // bluegreen_probe, where this block has it
  Peers peers[2];
  std::uint64_t health_seen = 0;  // the board's health_moves when its words were read last
  std::uint32_t tickets = 0;
  core::Candidate gone;  // stands for every endpoint that has left its table under a try
  Outlook outlook;
  shm::EndpointTable defaults[2] = {};  // bluegreen_server lines; their `generation` stays 0
  std::uint64_t mirrored_word = 0;      // what telemetry's mirror is known to hold
  bool said_rejected = false;

  // The table that counts for a color: what the controller published, else the lines.
  const shm::EndpointTable& table(shm::Color color) const noexcept {
    const shm::EndpointTable& published = route.snapshot().tables[shm::index_of(color)];
    return shm::is_published(published) ? published : defaults[shm::index_of(color)];
  }
  std::string_view release(shm::Color color) const noexcept {
    return shm::text_of(table(color).release);
  }
};

}  // namespace bluegreen::glue

struct ngx_http_bluegreen_main_conf_t {
  ngx_str_t control_path;
  ngx_str_t telemetry_path;
  ngx_array_t upstreams;                                             // Upstream *
  ngx_array_t apps;                                                  // App *
  bluegreen::core::BlockPool<bluegreen::glue::RequestState> states;  // inflight.hpp
  bluegreen::glue::ControlAttachment control;
  bluegreen::glue::TelemetryWriter telemetry;
  bluegreen::glue::OwnTimer tick;
  bluegreen::glue::Prober* prober;  // this worker's, with a bluegreen_probe
  bluegreen::glue::HoldClock hold_clock;
  bluegreen::glue::PreviewName* preview_names;
  bluegreen::glue::Page* pages;
  ngx_cycle_t* cycle;
  std::uint64_t cycles;         // configurations that this master has seen
  std::uint64_t since_unix_ns;  // when this one began
  u_char* status_file;          // where a `bluegreen_status` stands
  ngx_uint_t status_line;
  bluegreen::shm::ControlState said_control;
  bool said_telemetry;
  bool started;

  bluegreen::glue::Upstream** upstream_list() const noexcept {
    return static_cast<bluegreen::glue::Upstream**>(upstreams.elts);
  }
  bluegreen::glue::App** app_list() const noexcept {
    return static_cast<bluegreen::glue::App**>(apps.elts);
  }
};

struct ngx_http_bluegreen_srv_conf_t {
  bluegreen::glue::Upstream* upstream;  // nullptr: none of our directives stands in this block
  ngx_str_t name;                       // of the application; empty without `bluegreen`
  ngx_str_t first;                      // of our directives in the block, and where it stands
  u_char* file;
  ngx_uint_t line;
  bool initialized;  // NGINX has called our init_upstream: nobody took our place
};

namespace bluegreen::glue {

using SrvConf = ngx_http_bluegreen_srv_conf_t;

// Loads the word; takes over a new table where there is one, and what the prober has found since.
// The request path's first step.
void refresh_slowly(MainConf& conf, Upstream& upstream, core::Look look) noexcept;
bool resolve_app(MainConf& conf, Upstream& upstream) noexcept;

// Reads what the probes have found about every endpoint (probed_health.cpp).
void follow_health(Upstream& upstream) noexcept;

inline bool health_moved(const Upstream& upstream) noexcept {
  const App& app = *upstream.app;
  // Acquire pairs with the prober's release, behind the words.
  return app.probe != nullptr && app.board != nullptr &&
         app.board->health_moves.load(std::memory_order_acquire) != upstream.health_seen;
}

inline void refresh(MainConf& conf, Upstream& upstream) noexcept {
  const core::Look look = upstream.route.look();
  if (__builtin_expect(static_cast<long>(look != core::Look::kUnchanged), 0) != 0) {
    refresh_slowly(conf, upstream, look);
  }
  if (__builtin_expect(static_cast<long>(health_moved(upstream)), 0) != 0) {
    follow_health(upstream);
  }
}

// Worker's timer and start: telemetry, control, every upstream, mirrors.
void synchronize(MainConf& conf, bool starting) noexcept;

}  // namespace bluegreen::glue
