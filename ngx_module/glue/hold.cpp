// See hold.hpp.
#include "ngx_module/glue/hold.hpp"

#include "ngx_module/glue/refuse.hpp"
#include "ngx_module/glue/waiting_count.hpp"

namespace bluegreen::glue {

namespace {

constexpr ngx_msec_t kHoldPoll = 5;
// Requests that go on, or are refused, before other events have their turn.
constexpr int kBatch = 64;

Waiter& waiter_at(ngx_queue_t* link) noexcept {
  return *ngx_queue_data(link, Waiter, link);
}

void update_busy(Upstream& upstream) noexcept {
  GateState& gate = upstream.gate;
  gate.busy = gate.hold_counts || gate.waiting != 0 ||
              upstream.route.snapshot().route.has(shm::kMaintenance);
}

void post_now(HoldClock& clock) noexcept {
  if (clock.now.posted == 0) {
    ngx_post_event(&clock.now, &ngx_posted_next_events);
  }
}

void enter_line(Waiter& waiter) noexcept {
  Upstream& upstream = *waiter.upstream;
  HoldClock& clock = upstream.conf->hold_clock;
  GateState& gate = upstream.gate;
  ngx_queue_t* const before = waiter.late ? gate.last_late : ngx_queue_last(&gate.line);
  ngx_queue_insert_after(before, &waiter.link);
  if (waiter.late) {
    gate.last_late = &waiter.link;
  }
  const ngx_msec_t expiry = waiter.since + gate.hold.timeout_ms;
  if (gate.waiting == 0 || static_cast<ngx_msec_int_t>(expiry - gate.next_expiry) < 0) {
    gate.next_expiry = expiry;
  }
  waiter.in_line = true;
  waiter.color = upstream.route.snapshot().route.active;
  ++upstream.gate.waiting;
  change_waiting(*upstream.app, waiter.color, 1);
  update_busy(upstream);
  // Not cancelable: a worker that shuts down ends when no other timer is left.
  if (clock.timer.timer_set == 0) {
    ngx_add_timer(&clock.timer, kHoldPoll);
  }
}

void leave_line(Waiter& waiter) noexcept {
  Upstream& upstream = *waiter.upstream;
  if (upstream.gate.last_late == &waiter.link) {
    upstream.gate.last_late = ngx_queue_prev(&waiter.link);
  }
  // The analyzer does not see that whoever is in line has neighbours.
  ngx_queue_remove(&waiter.link);  // NOLINT(clang-analyzer-core.NullDereference)
  waiter.in_line = false;
  --upstream.gate.waiting;
  change_waiting(*upstream.app, waiter.color, -1);
  update_busy(upstream);
}

// The client has gone, or the request was ended by somebody else.
extern "C" void ngx_http_bluegreen_waiter_gone(void* data) {
  auto* const waiter = static_cast<Waiter*>(data);
  if (waiter->in_line) {
    leave_line(*waiter);
  }
}

extern "C" void ngx_http_bluegreen_still_waiting(ngx_http_request_t* r) {
  if (ngx_handle_write_event(r->connection->write, 0) != NGX_OK) {
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
  }
}

Waiter* obtain_waiter(PeerState& state) noexcept {
  if (state.waiter != nullptr) {
    return state.waiter;
  }
  ngx_http_request_t* const r = state.request;
  auto* const waiter = static_cast<Waiter*>(ngx_pcalloc(r->pool, sizeof(Waiter)));
  ngx_http_cleanup_t* const cleanup = ngx_http_cleanup_add(r, 0);
  if (waiter == nullptr || cleanup == nullptr) {
    return nullptr;
  }
  cleanup->handler = ngx_http_bluegreen_waiter_gone;
  cleanup->data = waiter;
  waiter->state = &state;
  state.waiter = waiter;
  return waiter;
}

// A client that has gone already sends no further event: it is looked at once.
bool watch_client(ngx_event_t& read) noexcept {
  if (read.ready != 0) {
    ngx_post_event(&read, &ngx_posted_events);
    return true;
  }
  return ngx_handle_read_event(&read, 0) == NGX_OK;
}

// A request that has its turn and meets a new hold goes back to where it was: before all others.
ngx_int_t wait(PeerState& state, Upstream& upstream, bool late) noexcept {
  ngx_http_request_t* const r = state.request;
  const bool again = state.waiter != nullptr && state.waiter->upstream == &upstream;
  if (!again && is_line_full(upstream)) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "bluegreen: application \"%*s\" is held and %uD requests wait for it already",
                  upstream.app->name.size(), upstream.app->name.data(), upstream.gate.hold.max);
    return say_unavailable(state, upstream, core::Reason::kHold, upstream.gate.hold.retry_after_s);
  }
  Waiter* const waiter = obtain_waiter(state);
  if (waiter == nullptr || !watch_client(*r->connection->read)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (!again) {
    waiter->upstream = &upstream;
    waiter->since = ngx_current_msec;
  }
  waiter->late = late || again;
  state.main->held = true;
  r->read_event_handler = ngx_http_test_reading;
  r->write_event_handler = ngx_http_bluegreen_still_waiting;
  r->connection->log->action = const_cast<char*>("waiting for a held application");
  enter_line(*waiter);
  return NGX_AGAIN;
}

// A try that was taken back leaves no mark in $upstream_addr and its like.
void forget_try(ngx_http_request_t* r) noexcept {
  ngx_array_t* const states = r->upstream_states;
  if (states == nullptr) {
    return;
  }
  const auto* const list = static_cast<ngx_http_upstream_state_t*>(states->elts);
  while (states->nelts != 0 && list[states->nelts - 1].peer == nullptr) {
    --states->nelts;
  }
  if (states->nelts == 0) {
    r->upstream_states = nullptr;
  }
}

void go_on(Waiter& waiter) noexcept {
  ngx_http_request_t* const r = waiter.state->request;
  ngx_connection_t* const c = r->connection;
  leave_line(waiter);
  ngx_http_set_log_request(c->log, r);
  if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
  } else {
    c->log->action = nullptr;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
  }
  ngx_http_run_posted_requests(c);
}

void give_up(Waiter& waiter) noexcept {
  ngx_http_request_t* const r = waiter.state->request;
  ngx_connection_t* const c = r->connection;
  Upstream& upstream = *waiter.upstream;
  leave_line(waiter);
  ngx_http_set_log_request(c->log, r);
  ngx_log_error(NGX_LOG_ERR, c->log, 0,
                "bluegreen: application \"%*s\" is held, and this request has waited %M ms",
                upstream.app->name.size(), upstream.app->name.data(),
                static_cast<ngx_msec_t>(upstream.gate.hold.timeout_ms));
  r->read_event_handler = ngx_http_block_reading;
  ngx_http_finalize_request(r, say_unavailable(*waiter.state, upstream, core::Reason::kHold,
                                               upstream.gate.hold.retry_after_s));
  ngx_http_run_posted_requests(c);
}

bool is_let_go(const Upstream& upstream) noexcept {
  return !hold_in_force(upstream) || upstream.route.snapshot().route.has(shm::kMaintenance);
}

// Those that came late stand in front and may have more time left than the next ones.
Waiter* find_expired(Upstream& upstream) noexcept {
  GateState& gate = upstream.gate;
  if (static_cast<ngx_msec_int_t>(gate.next_expiry - ngx_current_msec) > 0) {
    return nullptr;  // nobody can have waited too long yet
  }
  gate.next_expiry = ngx_current_msec + gate.hold.timeout_ms;
  for (ngx_queue_t* q = ngx_queue_head(&gate.line); q != &gate.line; q = ngx_queue_next(q)) {
    Waiter& waiter = waiter_at(q);
    const ngx_msec_t expiry = waiter.since + gate.hold.timeout_ms;
    if (static_cast<ngx_msec_int_t>(expiry - ngx_current_msec) <= 0) {
      gate.next_expiry = ngx_current_msec;  // there may be more
      return &waiter;
    }
    if (static_cast<ngx_msec_int_t>(expiry - gate.next_expiry) < 0) {
      gate.next_expiry = expiry;
    }
    if (!waiter.late) {
      break;
    }
  }
  return nullptr;
}

// What runs in here may end any other request of the line: it is looked at anew each time. True
// when there is more to do at once.
bool tend(MainConf& conf, Upstream& upstream) noexcept {
  for (int i = 0; i < kBatch && upstream.gate.waiting != 0; ++i) {
    refresh(conf, upstream);
    if (is_let_go(upstream)) {
      go_on(waiter_at(ngx_queue_head(&upstream.gate.line)));
    } else if (Waiter* const waiter = find_expired(upstream)) {
      give_up(*waiter);
    } else {
      return false;
    }
  }
  return upstream.gate.waiting != 0;
}

extern "C" void ngx_http_bluegreen_tend_lines(ngx_event_t* event) {
  auto& conf = owner_of<MainConf>(*event);
  bool more = false;
  bool anybody = false;
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    Upstream& upstream = *conf.upstream_list()[i];
    if (upstream.gate.waiting != 0) {
      more = tend(conf, upstream) || more;
    }
    anybody = anybody || upstream.gate.waiting != 0;
  }
  if (more) {
    post_now(conf.hold_clock);
  }
  if (anybody && conf.hold_clock.timer.timer_set == 0) {
    ngx_add_timer(&conf.hold_clock.timer, kHoldPoll);
  }
}

const char* why_it_does_not_count(const shm::HoldTicket& ticket, const shm::BootId& boot) noexcept {
  if (ticket.crc != shm::ticket_crc(ticket)) {
    return "its ticket is damaged";
  }
  if (std::memcmp(ticket.boot.bytes, boot.bytes, sizeof(boot.bytes)) != 0) {
    return "it was made before this boot";
  }
  return "its deadline has passed, or is more than a day away";
}

}  // namespace

void note_route(MainConf& conf, Upstream& upstream, ngx_log_t* log) noexcept {
  const shm::AppSnapshot& snapshot = upstream.route.snapshot();
  upstream.gate.hold_counts = false;
  if (snapshot.route.has(shm::kHold)) {
    shm::BootId boot{};
    const std::uint64_t left =
        shm::boot_id(boot) ? shm::ticket_left_ns(snapshot.hold, boot, shm::boottime_ns()) : 0;
    upstream.gate.hold_counts = left != 0;
    upstream.gate.hold_until = ngx_current_msec + static_cast<ngx_msec_t>(left / 1000000 + 1);
    if (left == 0 && log != nullptr) {
      ngx_log_error(NGX_LOG_WARN, log, 0,
                    "bluegreen: the hold of application \"%*s\" does not count: %s",
                    upstream.app->name.size(), upstream.app->name.data(),
                    why_it_does_not_count(snapshot.hold, boot));
    }
  }
  update_busy(upstream);
  if (upstream.gate.waiting != 0) {
    post_now(conf.hold_clock);
  }
}

void note_time(Upstream& upstream, ngx_log_t* log) noexcept {
  GateState& gate = upstream.gate;
  if (!gate.hold_counts) {
    return;
  }
  const std::uint64_t deadline = upstream.route.snapshot().hold.deadline_boottime_ns;
  const std::uint64_t now = shm::boottime_ns();
  if (deadline > now) {
    gate.hold_until = ngx_current_msec + static_cast<ngx_msec_t>((deadline - now) / 1000000 + 1);
    return;
  }
  gate.hold_counts = false;
  update_busy(upstream);
  if (log != nullptr) {
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "bluegreen: the hold of application \"%*s\" is over: its deadline has passed and "
                  "nobody has released it",
                  upstream.app->name.size(), upstream.app->name.data());
  }
}

ngx_int_t wait_in_line(PeerState& state, Upstream& upstream) noexcept {
  return wait(state, upstream, false);
}

// A body that is not buffered has been sent in part, or is still on its way to a handler that will
// not be asked again: such a request cannot begin anew.
ngx_int_t hold_late(PeerState& state) noexcept {
  ngx_http_request_t* const r = state.request;
  Upstream& upstream = *state.upstream;
  const bool again = r->request_body_no_buffering == 0 && r->content_handler != nullptr;
  if (!leave_upstream(r)) {
    return NGX_BUSY;
  }
  const ngx_int_t status = again ? wait(state, upstream, true)
                                 : say_unavailable(state, upstream, core::Reason::kHold,
                                                   upstream.gate.hold.retry_after_s);
  if (status != NGX_AGAIN) {
    ngx_http_finalize_request(r, status);
    return NGX_BUSY;
  }
  forget_try(r);
  return NGX_BUSY;
}

void start_hold_clock(MainConf& conf) noexcept {
  for (ngx_event_t* event : {&conf.hold_clock.timer, &conf.hold_clock.now}) {
    event->handler = ngx_http_bluegreen_tend_lines;
    event->data = &conf.tick.connection;
    event->log = conf.cycle->log;
  }
}

}  // namespace bluegreen::glue
