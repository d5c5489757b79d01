// See probe_run.hpp.
#include "ngx_module/glue/probe_run.hpp"

#include <cerrno>
#include <cstring>

#include "ngx_module/glue/probe_tls.hpp"
#include "shm/clock.hpp"

namespace bluegreen::glue {

namespace {

using core::ProbeType;
using Phase = ProbeRun::Phase;

// One thread, and nothing of it is kept from one call to the next.
char g_scratch[16384];
static_assert(sizeof(g_scratch) >= core::kLongestProbeRequest);

ProbeRun& run_of(const ngx_event_t* event) noexcept {
  return *static_cast<ProbeRun*>(static_cast<ngx_connection_t*>(event->data)->data);
}

const core::ProbeSettings& settings_of(const ProbeRun& run) noexcept {
  return run.probe->settings;
}

void drop_connection(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  if (c == nullptr) {
    return;
  }
  run.peer.connection = nullptr;
  ngx_pool_t* const pool = c->pool;
  free_tls(*c);
  ngx_close_connection(c);
  if (pool != nullptr) {
    ngx_destroy_pool(pool);
  }
}

void drop_window(ProbeRun& run) noexcept {
  if (run.window != nullptr) {
    ngx_free(run.window);
    run.window = nullptr;
  }
}

void end(ProbeRun& run, core::ProbeVerdict& verdict) noexcept {
  verdict.latency_us = (shm::clock_ns(CLOCK_MONOTONIC) - run.began_ns) / 1000;
  drop_window(run);
  run.phase = Phase::kIdle;
  run.ended(run, &verdict);
}

// "WHAT: WHY".
void fail(ProbeRun& run, std::string_view what, std::string_view why) noexcept {
  drop_connection(run);
  core::ProbeVerdict verdict;
  char text[shm::kProbeErrorSize];
  core::BoundedWriter writer(text, sizeof(text));
  writer.text(what);
  if (!why.empty()) {
    writer.text(": ");
    writer.text(why);
  }
  verdict.status = static_cast<std::uint16_t>(
      settings_of(run).type == ProbeType::kHttp ? run.answer.status() : run.grpc.status());
  core::set_error(verdict, {text, writer.overflowed() ? sizeof(text) : writer.needed()});
  end(run, verdict);
}

void fail_by_errno(ProbeRun& run, std::string_view what, int error) noexcept {
  u_char text[128];
  const u_char* const text_end = ngx_strerror(error, text, sizeof(text));
  fail(run, what, {reinterpret_cast<const char*>(text), static_cast<std::size_t>(text_end - text)});
}

int socket_error(const ngx_connection_t& c) noexcept {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void connect(ProbeRun& run) noexcept;

// Of a connection that was kept: the endpoint may have closed it while the request was under way.
// That is its right, and says nothing.
bool try_afresh(ProbeRun& run) noexcept {
  if (!run.reused || run.received != 0) {
    return false;
  }
  drop_connection(run);
  connect(run);
  return true;
}

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
  const core::ProbeSettings& settings = settings_of(run);
  if (settings.body.empty()) {
    return true;
  }
  const std::string_view body = run.answer.body();
#if (NGX_PCRE)
  if (settings.body_is_pattern) {
    ngx_str_t subject = str(body);
    return ngx_regex_exec(static_cast<ngx_regex_t*>(run.probe->pattern), &subject, nullptr, 0) >= 0;
  }
#endif
  return ::memmem(body.data(), body.size(), settings.body.data(), settings.body.size()) != nullptr;
}

void judge_http(ProbeRun& run) noexcept {
  core::ProbeVerdict verdict;
  core::judge_answer(settings_of(run), run.answer.status(), body_fits(run), verdict);
  if (settings_of(run).keepalive && run.answer.reusable()) {
    keep(run);
  } else {
    drop_connection(run);
  }
  end(run, verdict);
}

void judge_without_answer(ProbeRun& run) noexcept {
  drop_connection(run);
  core::ProbeVerdict verdict;
  verdict.success = true;
  end(run, verdict);
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
      fail(run, answer.error(), {});
    }
  } else if (settings_of(run).type == ProbeType::kHttp) {
    judge_http(run);
  } else {
    judge_without_answer(run);
  }
  return false;
}

void read_answer(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  for (;;) {
    const ssize_t size = c->recv(c, reinterpret_cast<u_char*>(g_scratch), sizeof(g_scratch));
    if (size == NGX_AGAIN) {
      if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        fail(run, "cannot wait for the answer", run.said);
      }
      return;
    }
    if (size == NGX_ERROR) {
      const int error = ngx_socket_errno;
      if (!try_afresh(run)) {
        fail_by_errno(run, run.received == 0 ? "before the answer" : "in the answer", error);
      }
      return;
    }
    if (size > 0) {
      run.received += static_cast<std::uint64_t>(size);
    }
    const bool more = settings_of(run).type == ProbeType::kGrpc ? take(run, run.grpc, size)
                                                                : take(run, run.answer, size);
    if (!more) {
      return;
    }
  }
}

// The same bytes whenever it is asked: nothing has to be kept of a request that is half sent.
std::size_t write_request(const ProbeRun& run) noexcept {
  const core::ProbeSettings& settings = settings_of(run);
  return settings.type == ProbeType::kGrpc
             ? core::write_grpc_request(settings, view(run.name), g_scratch, sizeof(g_scratch))
             : core::write_probe_request(settings, view(run.name), g_scratch, sizeof(g_scratch));
}

void send_request(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  const std::size_t size = write_request(run);
  while (run.sent < size) {
    const ssize_t wrote =
        c->send(c, reinterpret_cast<u_char*>(g_scratch) + run.sent, size - run.sent);
    if (wrote == NGX_AGAIN) {
      if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        fail(run, "cannot wait to send", run.said);
      }
      return;
    }
    if (wrote < 0) {
      const int error = ngx_socket_errno;
      if (!try_afresh(run)) {
        fail_by_errno(run, "send", error);
      }
      return;
    }
    run.sent += static_cast<std::size_t>(wrote);
  }
  run.phase = Phase::kReading;
  if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
    fail(run, "cannot wait for the answer", run.said);
    return;
  }
  read_answer(run);
}

void talk(ProbeRun& run) noexcept {
  if (settings_of(run).type == ProbeType::kTcp) {
    judge_without_answer(run);
    return;
  }
  run.phase = Phase::kSending;
  send_request(run);
}

extern "C" void ngx_http_bluegreen_probe_event(ngx_event_t* event);

void end_handshake(ngx_connection_t* c) {
  ProbeRun& run = *static_cast<ProbeRun*>(c->data);
  if (const char* const fault = tls_fault(*c, run)) {
    fail(run, fault, run.said);
    return;
  }
  c->read->handler = ngx_http_bluegreen_probe_event;
  c->write->handler = ngx_http_bluegreen_probe_event;
  talk(run);
}

void take_connected(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  if (const int error = socket_error(*c)) {
    fail_by_errno(run, "connect", error);
    return;
  }
  if (!settings_of(run).ssl) {
    talk(run);
    return;
  }
  run.phase = Phase::kHandshake;
  if (!start_tls(*c, run, end_handshake)) {
    fail(run, "TLS", run.said);
  }
}

void go_on(ProbeRun& run, const ngx_event_t& event) noexcept {
  switch (run.phase) {
    case Phase::kConnecting:
      if (run.peer.connection->write->ready != 0) {
        take_connected(run);
      }
      break;
    case Phase::kSending:
      if (event.write != 0) {
        send_request(run);
      }
      break;
    case Phase::kReading:
      if (event.write == 0) {
        read_answer(run);
      }
      break;
    case Phase::kIdle:
      if (event.write == 0) {
        drop_connection(run);  // closed, or unasked bytes
      }
      break;
    case Phase::kHandshake:
      break;  // NGINX's own handlers
  }
}

extern "C" void ngx_http_bluegreen_probe_event(ngx_event_t* event) {
  go_on(run_of(event), *event);
}

// NGINX's functions write to the connection's log: kept as the cause, without the time and the
// process in front. What concerns this NGINX and not the endpoint goes on to its own log.
extern "C" void ngx_http_bluegreen_probe_log(ngx_log_t* log, ngx_uint_t level, u_char* text,
                                             size_t size) {
  auto& run = *static_cast<ProbeRun*>(log->wdata);
  std::string_view line(reinterpret_cast<const char*>(text), size);
  const std::size_t head = line.find("#0: ");
  line.remove_prefix(head == std::string_view::npos ? 0 : head + 4);
  if (level <= NGX_LOG_ALERT) {
    ngx_str_t whole = str(line);
    ngx_log_error(level, ngx_cycle->log, 0, "bluegreen: probe of %V: %V", &run.name, &whole);
  }
  const std::size_t room = sizeof(run.said) - 1;
  line = line.substr(0, line.find('\n')).substr(0, room);
  std::memcpy(run.said, line.data(), line.size());
  run.said[line.size()] = '\0';
}

void connect(ProbeRun& run) noexcept {
  run.sent = 0;
  run.received = 0;
  run.reused = false;
  run.phase = Phase::kConnecting;
  ngx_peer_connection_t& peer = run.peer;
  ngx_memzero(&peer, sizeof(peer));
  peer.sockaddr = reinterpret_cast<sockaddr*>(&run.address);
  peer.socklen = run.address_length;
  peer.name = &run.name;
  peer.get = ngx_event_get_peer;
  peer.log = &run.log;
  peer.log_error = NGX_ERROR_ERR;
  peer.type = SOCK_STREAM;
  const ngx_int_t result = ngx_event_connect_peer(&peer);
  if (result == NGX_DECLINED || result == NGX_BUSY) {
    fail_by_errno(run, "connect", ngx_socket_errno);
    return;
  }
  ngx_connection_t* const c = peer.connection;
  if (result == NGX_ERROR || (c->pool = ngx_create_pool(512, &run.log)) == nullptr) {
    drop_connection(run);
    drop_window(run);
    run.phase = Phase::kIdle;
    run.ended(run, nullptr);
    return;
  }
  c->data = &run;
  c->log = &run.log;
  c->read->handler = ngx_http_bluegreen_probe_event;
  c->write->handler = ngx_http_bluegreen_probe_event;
  if (result == NGX_OK) {
    take_connected(run);
  }
}

// Of an HTTP probe that looks into the body. False: no memory, and no verdict.
bool make_window(ProbeRun& run) noexcept {
  if (settings_of(run).body.empty()) {
    return true;
  }
  run.window = static_cast<char*>(ngx_alloc(core::kMostBodyBytes, ngx_cycle->log));
  return run.window != nullptr;
}

void set_port(sockaddr_storage& address, std::uint32_t port) noexcept {
  if (address.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(static_cast<in_port_t>(port));
  } else if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(static_cast<in_port_t>(port));
  }
}

}  // namespace

void set_up_run(ProbeRun& run, const Probe& probe, const shm::Endpoint& endpoint,
                ProbeRun::Ended ended) noexcept {
  run.probe = &probe;
  run.ended = ended;
  run.address_length = shm::to_sockaddr(endpoint, run.address);
  if (probe.settings.port != 0) {
    set_port(run.address, probe.settings.port);
  }
  run.name.len = shm::format_endpoint(endpoint, run.name_bytes);
  run.name.data = reinterpret_cast<u_char*>(run.name_bytes);
  run.log.log_level = NGX_LOG_INFO;
  run.log.writer = ngx_http_bluegreen_probe_log;
  run.log.wdata = &run;
  run.log.file = ngx_cycle->log->file;
}

void begin_run(ProbeRun& run) noexcept {
  run.began_ns = shm::clock_ns(CLOCK_MONOTONIC);
  run.said[0] = '\0';
  if (!make_window(run)) {
    run.ended(run, nullptr);
    return;
  }
  run.answer = core::ProbeAnswer(settings_of(run).method == core::ProbeMethod::kHead, run.window);
  run.grpc = core::GrpcAnswer();
  if (run.peer.connection == nullptr) {
    connect(run);
    return;
  }
  run.peer.connection->idle = 0;
  run.sent = 0;
  run.received = 0;
  run.reused = true;
  talk(run);
}

void time_out_run(ProbeRun& run) noexcept {
  static constexpr const char* kWaits[] = {
      "", "timed out in connect", "timed out in the TLS handshake",
      "timed out while sending the request", "timed out waiting for the answer"};
  const char* const what = kWaits[static_cast<std::size_t>(run.phase)];
  const bool began = run.phase == Phase::kReading && run.received != 0;
  if (run.phase != Phase::kIdle) {
    fail(run, began ? "timed out in the midst of the answer" : what, {});
  }
}

void close_run(ProbeRun& run) noexcept {
  drop_connection(run);
  drop_window(run);
  run.phase = Phase::kIdle;
}

}  // namespace bluegreen::glue
