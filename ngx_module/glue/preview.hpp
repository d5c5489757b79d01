// Preview: who brings the right secret reaches the idle color through the real listener.
//
// The header or cookie that carries it is taken out of the request before anything else sees the
// request: in the POST_READ phase (or later, when NGINX refuses it before), right or wrong (a wrong
// one may be an old or another system's secret). So it cannot be forwarded by any location,
// subrequest or mirror, nor be logged. Each secret file has a bit; the bits of those that match
// stand in RequestState::previews, whichever upstream the request comes to, so `proxy_pass` with
// variables is no exception.
//
// Answers to a preview carry X-Bluegreen-Color and are never stored by a cache.
// Secret files: read by the master at a start, by each worker's tick when they have changed. A file
// that is missing, unreadable or no secret turns its preview off and says so once. Requests: in a
// worker; fails by an allocation (500).
#pragma once

#include "ngx_module/core/preview.hpp"
#include "ngx_module/core/secret.hpp"
#include "ngx_module/glue/inflight.hpp"
#include "ngx_module/glue/watched_file.hpp"

namespace bluegreen::glue {

struct PreviewFile {
  WatchedFile file;
  core::Secrets secrets;
  std::uint64_t bit = 0;
  const char* said = nullptr;  // the fault that was reported last
  PreviewFile* next = nullptr;
};

// A header or a cookie, with all files whose secrets it may carry.
struct PreviewName {
  core::PreviewSource source;
  PreviewFile* files = nullptr;
  PreviewName* next = nullptr;
};

// Master at a start, worker once a second. `log` may be null.
void watch_previews(MainConf& conf, ngx_log_t* log) noexcept;

}  // namespace bluegreen::glue

extern "C" {
// The POST_READ phase; only where a preview is configured.
ngx_int_t ngx_http_bluegreen_take_preview(ngx_http_request_t* r);
// The REWRITE phase of redirected requests: NGINX may have refused one before POST_READ (a client
// without a certificate, plain HTTP on a TLS port) and sent it to its error page.
ngx_int_t ngx_http_bluegreen_take_preview_late(ngx_http_request_t* r);
// The LOG phase, first, for requests that came to no phase at all.
ngx_int_t ngx_http_bluegreen_hide_preview(ngx_http_request_t* r);
// The header filter, before all others.
void ngx_http_bluegreen_install_color_header(void);
}
