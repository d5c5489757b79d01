// See probe_tls.hpp.
#include "ngx_module/glue/probe_tls.hpp"

#if (NGX_HTTP_SSL)
#include <openssl/ssl.h>
#endif

namespace bluegreen::glue {

#if (NGX_HTTP_SSL)

namespace {

const char* wrong_certificate(ProbeRun& run, std::string_view why) noexcept {
  core::ProbeVerdict text;
  core::set_error(text, why);
  std::memcpy(run.said, text.error, sizeof(run.said));
  return "TLS certificate";
}

bool set_server_name(ngx_connection_t& c, std::string_view name) noexcept {
  char text[256];
  if (name.empty() || name.size() >= sizeof(text)) {
    return name.empty();
  }
  std::memcpy(text, name.data(), name.size());
  text[name.size()] = '\0';
  return SSL_set_tlsext_host_name(c.ssl->connection, text) == 1;
}

}  // namespace

bool start_tls(ngx_connection_t& c, ProbeRun& run, void (*done)(ngx_connection_t* c)) noexcept {
  auto* const ssl = static_cast<ngx_ssl_t*>(run.probe->ssl);
  if (ngx_ssl_create_connection(ssl, &c, NGX_SSL_CLIENT) != NGX_OK ||
      !set_server_name(c, core::tls_name(run.settings()))) {
    return false;
  }
  c.ssl->handler = done;
  if (ngx_ssl_handshake(&c) != NGX_AGAIN) {
    done(&c);
  }
  return true;
}

const char* tls_fault(ngx_connection_t& c, ProbeRun& run) noexcept {
  if (c.ssl == nullptr || c.ssl->handshaked == 0) {
    return "TLS handshake";
  }
  if (run.settings().ssl_verify.empty()) {
    return nullptr;
  }
  const long result = SSL_get_verify_result(c.ssl->connection);
  if (result != X509_V_OK) {
    return wrong_certificate(run, X509_verify_cert_error_string(result));
  }
  ngx_str_t name = str(core::tls_name(run.settings()));
  return ngx_ssl_check_host(&c, &name) == NGX_OK ? nullptr
                                                 : wrong_certificate(run, "it is for another name");
}

void free_tls(ngx_connection_t& c) noexcept {
  if (c.ssl == nullptr) {
    return;
  }
  c.ssl->no_wait_shutdown = 1;
  if (ngx_ssl_shutdown(&c) == NGX_AGAIN) {
    c.timedout = 1;  // its farewell cannot be sent at once: without
    ngx_ssl_shutdown(&c);
  }
}

#else

bool start_tls(ngx_connection_t&, ProbeRun&, void (*)(ngx_connection_t*)) noexcept {
  return false;
}

const char* tls_fault(ngx_connection_t&, ProbeRun&) noexcept {
  return "no TLS";
}

void free_tls(ngx_connection_t&) noexcept {}

#endif

}  // namespace bluegreen::glue
