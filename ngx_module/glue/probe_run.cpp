// See probe_run.hpp.
#include "ngx_module/glue/probe_run.hpp"

#include <cerrno>
#include <cstring>

#include "ngx_module/glue/probe_talk.hpp"
#include "ngx_module/glue/probe_tls.hpp"
#include "shm/clock.hpp"

namespace bluegreen::glue {

namespace {

using core::ProbeType;
using Phase = ProbeRun::Phase;

ProbeRun& run_of(const ngx_event_t* event) noexcept {
  return *static_cast<ProbeRun*>(static_cast<ngx_connection_t*>(event->data)->data);
}

void drop_window(ProbeRun& run) noexcept {
  if (run.window != nullptr) {
    ngx_free(run.window);
    run.window = nullptr;
  }
}

int socket_error(const ngx_connection_t& c) noexcept {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void open_connection(ProbeRun& run) noexcept;

extern "C" void ngx_http_bluegreen_probe_event(ngx_event_t* event);

void end_handshake(ngx_connection_t* c) {
  ProbeRun& run = *static_cast<ProbeRun*>(c->data);
  if (const char* const fault = tls_fault(*c, run)) {
    fail_run(run, fault, run.said);
    return;
  }
  c->read->handler = ngx_http_bluegreen_probe_event;
  c->write->handler = ngx_http_bluegreen_probe_event;
  talk(run);
}

void take_connected(ProbeRun& run) noexcept {
  ngx_connection_t* const c = run.peer.connection;
  if (const int error = socket_error(*c)) {
    fail_run_by_errno(run, "connect", error);
    return;
  }
  if (!run.settings().ssl) {
    talk(run);
    return;
  }
  run.phase = Phase::kHandshake;
  if (!start_tls(*c, run, end_handshake)) {
    fail_run(run, "TLS", run.said);
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
  // "TIME [LEVEL] PROCESS#THREAD: ": what stands behind it is the same at each probe.
  const std::size_t thread = line.find('#');
  const std::size_t head = thread == std::string_view::npos ? thread : line.find(": ", thread);
  line.remove_prefix(head == std::string_view::npos ? 0 : head + 2);
  if (level <= NGX_LOG_ALERT && run.peer.connection != nullptr) {
    ngx_str_t whole = str(line);
    ngx_log_error(level, ngx_cycle->log, 0, "bluegreen: probe of %V: %V", &run.name, &whole);
  }
  const std::size_t room = sizeof(run.said) - 1;
  line = line.substr(0, line.find('\n')).substr(0, room);
  std::memcpy(run.said, line.data(), line.size());
  run.said[line.size()] = '\0';
}

// This host has no port, or no memory, for a connection to anybody.
bool is_own_fault(int error) noexcept {
  return error == EADDRNOTAVAIL || error == ENOBUFS || error == ENOMEM;
}

void open_connection(ProbeRun& run) noexcept {
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
  const int error = ngx_socket_errno;
  const bool refused = result == NGX_DECLINED || result == NGX_BUSY;
  if (refused && !is_own_fault(error)) {
    fail_run_by_errno(run, "connect", error);
    return;
  }
  ngx_connection_t* const c = peer.connection;
  if (refused || result == NGX_ERROR || (c->pool = ngx_create_pool(512, &run.log)) == nullptr) {
    close_run(run);
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
  if (run.settings().body.empty()) {
    return true;
  }
  run.window = static_cast<char*>(ngx_alloc(core::kMostBodyBytes, ngx_cycle->log));
  return run.window != nullptr;
}

// Nothing is sent, nothing has come.
void start_over(ProbeRun& run) noexcept {
  run.sent = 0;
  run.received = 0;
  run.answer = core::ProbeAnswer(run.settings().method == core::ProbeMethod::kHead, run.window);
  run.grpc = core::GrpcAnswer();
}

void set_port(sockaddr_storage& address, std::uint32_t port) noexcept {
  if (address.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(static_cast<in_port_t>(port));
  } else if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(static_cast<in_port_t>(port));
  }
}

}  // namespace

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

void end_run(ProbeRun& run, core::ProbeVerdict& verdict) noexcept {
  verdict.latency_us = (shm::clock_ns(CLOCK_MONOTONIC) - run.began_ns) / 1000;
  drop_window(run);
  run.phase = Phase::kIdle;
  run.ended(run, &verdict);
}

void fail_run(ProbeRun& run, std::string_view what, std::string_view why) noexcept {
  core::ProbeVerdict verdict;
  char text[shm::kProbeErrorSize];
  core::BoundedWriter writer(text, sizeof(text));
  writer.text(what);
  if (!why.empty()) {
    writer.text(": ");
    writer.text(why);
  }
  verdict.status = static_cast<std::uint16_t>(
      run.settings().type == ProbeType::kHttp ? run.answer.status() : run.grpc.status());
  core::set_error(verdict, writer.written());
  drop_connection(run);  // may write to run.said, which `why` may be
  end_run(run, verdict);
}

void fail_run_by_errno(ProbeRun& run, std::string_view what, int error) noexcept {
  if (run.settings().ssl && run.said[0] != '\0') {
    fail_run(run, what, run.said);  // errno says nothing about TLS
    return;
  }
  u_char text[128];
  const u_char* const text_end = ngx_strerror(error, text, sizeof(text));
  fail_run(run, what,
           {reinterpret_cast<const char*>(text), static_cast<std::size_t>(text_end - text)});
}

bool try_afresh(ProbeRun& run) noexcept {
  if (!run.reused || run.received != 0) {
    return false;
  }
  drop_connection(run);
  start_over(run);  // it has been told that the connection ended
  open_connection(run);
  return true;
}

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
  start_over(run);
  if (run.peer.connection == nullptr) {
    open_connection(run);
    return;
  }
  run.peer.connection->idle = 0;
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
    fail_run(run, began ? "timed out in the midst of the answer" : what, {});
  }
}

void close_run(ProbeRun& run) noexcept {
  drop_connection(run);
  drop_window(run);
  run.phase = Phase::kIdle;
}

}  // namespace bluegreen::glue
