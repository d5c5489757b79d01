// One probe on its way: connect, TLS, send, read, judge, by non-blocking events in the worker's own
// loop, over a connection of its own that NGINX's requests never see.
//
// A run belongs to one endpoint and is used again for each of its probes. It keeps a connection
// that the endpoint lets live, for the next one. The caller's timer bounds it: time_out_run. Memory
// is bounded whatever comes: the limits of core/probe_http.hpp, and one window while a body is
// looked into. What NGINX would write to the error log about a connection goes into the verdict.
//
// Worker, one thread, from the prober (prober.hpp) alone.
#pragma once

#include "ngx_module/core/probe_grpc.hpp"
#include "ngx_module/core/probe_http.hpp"
#include "ngx_module/core/probe_record.hpp"
#include "ngx_module/glue/probe_conf.hpp"

namespace bluegreen::glue {

struct ProbeRun {
  enum class Phase : std::uint8_t { kIdle, kConnecting, kHandshake, kSending, kReading };

  // `verdict` is nullptr when this NGINX could not even open a connection: that says nothing about
  // the endpoint. The run is idle when it is called.
  using Ended = void (*)(ProbeRun& run, const core::ProbeVerdict* verdict);

  const Probe* probe = nullptr;
  Ended ended = nullptr;
  ngx_peer_connection_t peer{};
  sockaddr_storage address{};
  socklen_t address_length = 0;
  ngx_str_t name{};  // of the endpoint, as people read it: Host and :authority too
  char name_bytes[shm::kEndpointTextSize] = {};
  ngx_log_t log{};
  std::uint64_t began_ns = 0;
  std::size_t sent = 0;
  std::uint64_t received = 0;
  char* window = nullptr;
  Phase phase = Phase::kIdle;
  bool reused = false;
  core::ProbeAnswer answer{false};
  core::GrpcAnswer grpc;
  char said[shm::kProbeErrorSize] = {};  // what NGINX's functions said last

  const core::ProbeSettings& settings() const noexcept { return probe->settings; }
};

// Before the first probe; also when the endpoint is another one (after close_run).
void set_up_run(ProbeRun& run, const Probe& probe, const shm::Endpoint& endpoint,
                ProbeRun::Ended ended) noexcept;

// Ends by `ended`, perhaps before this returns.
void begin_run(ProbeRun& run) noexcept;
// The time is up: ends with a verdict that says what it was waiting for.
void time_out_run(ProbeRun& run) noexcept;
// Without a verdict; closes what is open.
void close_run(ProbeRun& run) noexcept;

}  // namespace bluegreen::glue
