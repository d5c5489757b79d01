// See telemetry_figures.hpp.
#include "ngx_module/glue/telemetry_figures.hpp"

namespace bluegreen::glue {

namespace {

constexpr auto kNever = static_cast<ngx_msec_t>(-1);  // NGINX's, in ngx_http_upstream_state_t

void record(shm::Distribution& to, std::uint64_t us) noexcept {
  shm::count(to.sum_us, us);
  shm::count(to.buckets[shm::bucket_of(us)]);
}

__attribute__((noinline)) void count_cause(shm::ColorDetail& detail,
                                           const ngx_http_upstream_state_t& state,
                                           const ngx_connection_t* c) noexcept {
  if (c != nullptr && (c->read->timedout != 0 || c->write->timedout != 0)) {
    shm::count(detail.timeouts);
  } else if (state.connect_time == kNever) {
    shm::count(detail.connect_errors);
  } else {
    shm::count(detail.other_errors);
  }
}

ngx_http_output_header_filter_pt next_filter = nullptr;

extern "C" ngx_int_t ngx_http_bluegreen_first_byte(ngx_http_request_t* r) {
  auto* const state =
      static_cast<PeerState*>(ngx_http_get_module_ctx(r, ngx_http_bluegreen_module));
  if (state != nullptr && state->begun_us != 0) {
    state->header_us = monotonic_us();
  }
  return next_filter(r);
}

}  // namespace

void end_try(PeerState& state, const ngx_peer_connection_t& pc, bool failed) noexcept {
  const ngx_http_upstream_t& u = *state.request->upstream;
  const std::uint64_t begun = state.begun_us;
  state.begun_us = 0;
  if (u.state == nullptr || begun == 0) {
    return;
  }
  const ngx_http_upstream_state_t& own = *u.state;
  shm::ColorDetail& detail = *state.upstream->app->detail[shm::index_of(state.color)];
  shm::count(detail.bytes_in, static_cast<std::uint64_t>(own.bytes_received));
  shm::count(detail.bytes_out, static_cast<std::uint64_t>(own.bytes_sent));
  if (__builtin_expect(static_cast<long>(failed), 0) != 0) {
    count_cause(detail, own, pc.connection);
  }
  if (pc.cached == 0 && own.connect_time != kNever) {
    record(detail.connect, std::uint64_t{own.connect_time} * 1000);
  }
  if (own.header_time == kNever) {
    return;  // nothing whole came: its length is a time-out's, not the application's
  }
  record(detail.first_byte,
         state.header_us != 0 ? state.header_us - begun : std::uint64_t{own.header_time} * 1000);
  if (u.upgrade == 0) {
    record(detail.total, monotonic_us() - begun);
  }
}

}  // namespace bluegreen::glue

extern "C" void ngx_http_bluegreen_install_first_byte(void) {
  bluegreen::glue::next_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = bluegreen::glue::ngx_http_bluegreen_first_byte;
}
