// See probe_talk.hpp.
#include "ngx_module/glue/probe_talk.hpp"

#include <cstring>

namespace bluegreen::glue {

namespace {

using core::ProbeType;
using Phase = ProbeRun::Phase;

// One thread, and nothing of it is kept from one call to the next.
char g_scratch[16384];
static_assert(sizeof(g_scratch) >= core::kLongestProbeRequest);

// Another probe may go over this connection: kept, until the endpoint closes it or says something
// unasked.
void keep(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  c->idle = 1;  // a worker that is told to quit closes it
  if (ngx_handle_read_event(c->read, 0) != NGX_OK ||
      ngx_handle_write_event(c->write, 0) != NGX_OK) {
    drop_connection(run);
  }
}

bool body_fits(const ProbeRun& run) noexcept {
  const core::ProbeSettings& settings = run.settings();
  if (settings.body.empty()) {
    return true;
  }
  const std::string_view body = run.answer.body();
#if (NGX_PCRE)
  if (settings.body_is_pattern) {
    ngx_str_t subject = str(body.substr(0, core::kMostPatternBytes));
    return ngx_regex_exec(static_cast<ngx_regex_t*>(run.probe->pattern), &subject, nullptr, 0) >= 0;
  }
#endif
  return ::memmem(body.data(), body.size(), settings.body.data(), settings.body.size()) != nullptr;
}

void judge_http(ProbeRun& run) noexcept {
  core::ProbeVerdict verdict;
  core::judge_answer(run.settings(), run.answer.status(), body_fits(run), verdict);
  if (run.settings().keepalive && run.answer.reusable()) {
    keep(run);
  } else {
    drop_connection(run);
  }
  end_run(run, verdict);
}

void judge_without_answer(ProbeRun& run) noexcept {
  drop_connection(run);
  core::ProbeVerdict verdict;
  verdict.success = true;
  end_run(run, verdict);
}

// True: more has to come.
template <typename Answer>
bool take(ProbeRun& run, Answer& answer, ssize_t size) noexcept {
  using State = typename Answer::State;
  const State state =
      size > 0 ? answer.feed({g_scratch, static_cast<std::size_t>(size)}) : answer.close();
  if (state == State::kMore) {
    return true;
  }
  if (state == State::kFailed) {
    if (size > 0 || !try_afresh(run)) {
      fail_run(run, answer.error(), {});
    }
  } else if (run.settings().type == ProbeType::kHttp) {
    judge_http(run);
  } else {
    judge_without_answer(run);
  }
  return false;
}

// The same bytes whenever it is asked: nothing has to be kept of a request that is half sent.
std::size_t write_request(const ProbeRun& run) noexcept {
  const core::ProbeSettings& settings = run.settings();
  return settings.type == ProbeType::kGrpc
             ? core::write_grpc_request(settings, view(run.name), g_scratch, sizeof(g_scratch))
             : core::write_probe_request(settings, view(run.name), g_scratch, sizeof(g_scratch));
}

}  // namespace

void read_answer(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  for (;;) {
    const ssize_t size = c->recv(c, reinterpret_cast<u_char*>(g_scratch), sizeof(g_scratch));
    if (size == NGX_AGAIN) {
      if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        fail_run(run, "cannot wait for the answer", run.said);
      }
      return;
    }
    if (size == NGX_ERROR) {
      const int error = ngx_socket_errno;
      if (!try_afresh(run)) {
        fail_run_by_errno(run, run.received == 0 ? "before the answer" : "in the answer", error);
      }
      return;
    }
    if (size > 0) {
      run.received += static_cast<std::uint64_t>(size);
    }
    const bool more = run.settings().type == ProbeType::kGrpc ? take(run, run.grpc, size)
                                                              : take(run, run.answer, size);
    if (!more) {
      return;
    }
  }
}

void send_request(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  const std::size_t size = write_request(run);
  while (run.sent < size) {
    const ssize_t wrote =
        c->send(c, reinterpret_cast<u_char*>(g_scratch) + run.sent, size - run.sent);
    if (wrote == NGX_AGAIN) {
      if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        fail_run(run, "cannot wait to send", run.said);
      }
      return;
    }
    if (wrote < 0) {
      const int error = ngx_socket_errno;
      if (!try_afresh(run)) {
        fail_run_by_errno(run, "send", error);
      }
      return;
    }
    run.sent += static_cast<std::size_t>(wrote);
  }
  run.phase = Phase::kReading;
  if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
    fail_run(run, "cannot wait for the answer", run.said);
    return;
  }
  read_answer(run);
}

void talk(ProbeRun& run) noexcept {
  if (run.settings().type == ProbeType::kTcp) {
    judge_without_answer(run);
    return;
  }
  run.phase = Phase::kSending;
  send_request(run);
}

}  // namespace bluegreen::glue
