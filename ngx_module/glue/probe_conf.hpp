// `bluegreen_probe` as it was configured: what the prober (prober.hpp) sends and expects, and that
// health counts for an application at all: without one, whatever an earlier configuration's prober
// has left in the telemetry file is nobody's business.
//
// One for an application, in one of its upstream blocks. Made by the configuration's parser in the
// master; lives in the cycle's pool; never changed after. Fails by NGINX's messages.
#pragma once

#include "ngx_module/core/probe_settings.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

struct Probe {
  core::ProbeSettings settings;
  Upstream* upstream = nullptr;  // whose endpoints are probed
  void* pattern = nullptr;       // ngx_regex_t, of body=~
  void* ssl = nullptr;           // ngx_ssl_t, of ssl=on
  u_char* file = nullptr;        // where it stands
  ngx_uint_t line = 0;
};

// At the end of the http block: gives each application its probe. nullptr, or NGX_CONF_ERROR.
char* settle_probes(ngx_conf_t* cf, MainConf& conf) noexcept;

}  // namespace bluegreen::glue

extern "C" char* ngx_http_bluegreen_probe(ngx_conf_t* cf, ngx_command_t* command, void* data);
