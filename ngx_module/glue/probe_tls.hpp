// TLS of a probe's connection, by NGINX's functions. Without an NGINX with SSL nothing here is ever
// called but free_tls (probe_conf refuses ssl=on). Worker, one thread, from probe_run.
#pragma once

#include "ngx_module/glue/probe_run.hpp"

namespace bluegreen::glue {

// Starts the handshake; `done` is called when it ended, perhaps at once. False: run.said says why.
bool start_tls(ngx_connection_t& c, ProbeRun& run, void (*done)(ngx_connection_t* c)) noexcept;

// After the handshake: nullptr, or what is wrong; run.said may say more.
const char* tls_fault(ngx_connection_t& c, ProbeRun& run) noexcept;

// Before the connection is closed.
void free_tls(ngx_connection_t& c) noexcept;

}  // namespace bluegreen::glue
