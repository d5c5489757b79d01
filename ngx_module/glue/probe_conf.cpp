// See probe_conf.hpp.
#include "ngx_module/glue/probe_conf.hpp"

#include <new>

#include "ngx_module/glue/directives.hpp"

#if (NGX_HTTP_SSL)
#include <openssl/ssl.h>
#endif

namespace bluegreen::glue {

namespace {

char* const kNoProbe = static_cast<char*>(NGX_CONF_ERROR);

bool compile_pattern(ngx_conf_t* cf, Probe& probe) noexcept {
#if (NGX_PCRE)
  // What is matched against comes from outside: a backend must not keep the worker busy. The limit
  // is for each place where a match may begin; kMostPatternBytes bounds how many there are.
  constexpr std::string_view kLimit = "(*LIMIT_MATCH=10000)";
  const std::string_view body = probe.settings.body;
  auto* const bytes = static_cast<u_char*>(ngx_pnalloc(cf->pool, kLimit.size() + body.size() + 1));
  if (bytes == nullptr) {
    return false;
  }
  u_char* const middle = ngx_cpymem(bytes, kLimit.data(), kLimit.size());
  u_char* const end = ngx_cpymem(middle, body.data(), body.size());
  *end = '\0';
  u_char message[NGX_MAX_CONF_ERRSTR];
  ngx_regex_compile_t compile;
  ngx_memzero(&compile, sizeof(compile));
  compile.pattern = {static_cast<size_t>(end - bytes), bytes};
  compile.pool = cf->pool;
  compile.err = {sizeof(message), message};
  if (ngx_regex_compile(&compile) != NGX_OK) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid pattern in \"bluegreen_probe\": %V",
                       &compile.err);
    return false;
  }
  probe.pattern = compile.regex;
  return true;
#else
  (void)probe;
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"body=~PATTERN\" in \"bluegreen_probe\" needs an NGINX with PCRE");
  return false;
#endif
}

#if (NGX_HTTP_SSL)

// OpenSSL's own message names the file and what is wrong with it; this says where it was asked for.
extern "C" u_char* ngx_http_bluegreen_probe_place(ngx_log_t* log, u_char* buffer, size_t size) {
  const auto& cf = *static_cast<ngx_conf_t*>(log->data);
  return ngx_snprintf(buffer, size, " in \"bluegreen_probe\" in %V:%ui", &cf.conf_file->file.name,
                      cf.conf_file->line);
}

bool load_trusted(ngx_conf_t* cf, ngx_ssl_t* ssl, const core::ProbeSettings& settings) noexcept {
  constexpr ngx_int_t kDepth = 4;
  const std::string_view file = settings.ssl_verify;
  auto* const bytes = static_cast<u_char*>(ngx_pnalloc(cf->pool, file.size() + 1));
  if (bytes == nullptr) {
    return false;
  }
  *ngx_cpymem(bytes, file.data(), file.size()) = '\0';
  ngx_str_t path = {file.size(), bytes};
  ngx_log_t log = *cf->log;
  log.handler = ngx_http_bluegreen_probe_place;
  log.data = cf;
  ssl->log = &log;
  const bool loaded = ngx_ssl_trusted_certificate(cf, ssl, &path, kDepth) == NGX_OK;
  ssl->log = cf->log;
  return loaded;
}

bool create_ssl(ngx_conf_t* cf, Probe& probe) noexcept {
  auto* const ssl = static_cast<ngx_ssl_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t)));
  ngx_pool_cleanup_t* const cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (ssl == nullptr || cleanup == nullptr) {
    return false;
  }
  ssl->log = cf->log;
  if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3, nullptr) != NGX_OK) {
    return false;
  }
  cleanup->handler = ngx_ssl_cleanup_ctx;
  cleanup->data = ssl;
  // What gRPC is spoken over must be said in the handshake.
  constexpr unsigned char kH2[] = {2, 'h', '2'};
  if (probe.settings.type == core::ProbeType::kGrpc &&
      SSL_CTX_set_alpn_protos(ssl->ctx, kH2, sizeof(kH2)) != 0) {
    return false;
  }
  probe.ssl = ssl;
  return probe.settings.ssl_verify.empty() || load_trusted(cf, ssl, probe.settings);
}

#else

bool create_ssl(ngx_conf_t* cf, Probe&) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"ssl=on\" in \"bluegreen_probe\" needs an NGINX with SSL");
  return false;
}

#endif

}  // namespace

char* settle_probes(ngx_conf_t* cf, MainConf& conf) noexcept {
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    Upstream& upstream = *conf.upstream_list()[i];
    const Probe* const probe = upstream.probe;
    if (probe == nullptr) {
      continue;
    }
    const Probe* const other = upstream.app->probe;
    ngx_str_t name = str(upstream.app->name);
    if (other != nullptr) {
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "\"bluegreen_probe\" in %s:%ui: application \"%V\" has one already, in %s:%ui",
                    probe->file, probe->line, &name, other->file, other->line);
      return kNoProbe;
    }
    if (conf.telemetry_path.data == nullptr) {
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "\"bluegreen_probe\" in %s:%ui needs \"bluegreen_telemetry FILE\" in the http "
                    "block: the workers share there what one of them finds out",
                    probe->file, probe->line);
      return kNoProbe;
    }
    upstream.app->probe = probe;
  }
  return NGX_CONF_OK;
}

}  // namespace bluegreen::glue

using namespace bluegreen::glue;  // NOLINT: the callback below is this file's only user

extern "C" char* ngx_http_bluegreen_probe(ngx_conf_t* cf, ngx_command_t*, void* data) {
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  void* const memory = ngx_pmemalign(cf->pool, sizeof(Probe), alignof(Probe));
  if (upstream == nullptr || memory == nullptr) {
    return kNoProbe;
  }
  if (upstream->probe != nullptr) {
    return const_cast<char*>("is duplicate");
  }
  auto* const probe = new (memory) Probe();
  upstream->probe = probe;
  probe->upstream = upstream;
  probe->file = cf->conf_file->file.name.data;
  probe->line = cf->conf_file->line;
  auto* const args = static_cast<ngx_str_t*>(cf->args->elts);
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    const char* const expected = bluegreen::core::parse_probe(view(args[i]), probe->settings);
    if (expected != nullptr) {
      return refuse_parameter(cf, args[i], expected);
    }
  }
  const char* const expected = bluegreen::core::finish_probe(probe->settings);
  if (expected != nullptr) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "parameters of \"bluegreen_probe\" do not go together: expected %s",
                       expected);
    return kNoProbe;
  }
  if (probe->settings.body_is_pattern && !compile_pattern(cf, *probe)) {
    return kNoProbe;
  }
  return !probe->settings.ssl || create_ssl(cf, *probe) ? NGX_CONF_OK : kNoProbe;
}
