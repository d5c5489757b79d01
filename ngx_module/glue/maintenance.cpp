// See maintenance.hpp.
#include "ngx_module/glue/maintenance.hpp"

#include <cstdlib>

#include "ngx_module/glue/refuse.hpp"

namespace bluegreen::glue {

namespace {

void drop(Page& page) noexcept {
  std::free(page.bytes);
  page.bytes = nullptr;
  page.size = 0;
}

void report(Page& page, int error, ngx_log_t* log) noexcept {
  if (page.said == error) {
    return;
  }
  const bool first = page.said == -1;
  page.said = error;
  if (log == nullptr || (first && error == 0)) {
    return;
  }
  if (error == 0) {
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "bluegreen: maintenance page \"%s\" is read again",
                  page.file.path());
  } else {
    ngx_log_error(NGX_LOG_WARN, log, static_cast<ngx_err_t>(error),
                  "bluegreen: maintenance page \"%s\" cannot be read, NGINX's own page is sent",
                  page.file.path());
  }
}

// `buffer`: kMaxPage bytes, shared by all pages of one look.
void watch(Page& page, char* buffer, ngx_log_t* log) noexcept {
  std::size_t size = 0;
  const WatchedFile::Look look = page.file.look(buffer, kMaxPage, size);
  if (look == WatchedFile::Look::kFailed) {
    drop(page);
    report(page, page.file.error(), log);
    return;
  }
  if (look != WatchedFile::Look::kRead) {
    return;
  }
  drop(page);
  page.bytes = static_cast<char*>(std::malloc(size != 0 ? size : 1));
  if (page.bytes != nullptr) {
    std::memcpy(page.bytes, buffer, size);
    page.size = size;
  }
  report(page, page.bytes != nullptr ? 0 : ENOMEM, log);
}

// Sends the page; what ngx_http_finalize_request is to be called with.
ngx_int_t send_page(ngx_http_request_t* r, const Upstream& upstream) noexcept {
  const Page& page = *upstream.gate.page;
  const ngx_int_t discarded = ngx_http_discard_request_body(r);
  if (discarded != NGX_OK) {
    return discarded;
  }
  r->headers_out.status = NGX_HTTP_SERVICE_UNAVAILABLE;
  r->headers_out.content_length_n = static_cast<off_t>(page.size);
  r->headers_out.content_type = str(upstream.gate.maintenance.type);
  r->headers_out.content_type_len = r->headers_out.content_type.len;
  r->headers_out.content_type_lowcase = nullptr;
  ngx_buf_t* const buffer = ngx_create_temp_buf(r->pool, page.size != 0 ? page.size : 1);
  if (buffer == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  buffer->last = ngx_cpymem(buffer->pos, page.bytes, page.size);
  buffer->memory = page.size != 0 ? 1 : 0;
  buffer->temporary = 0;
  buffer->last_buf = r == r->main ? 1 : 0;
  buffer->last_in_chain = 1;
  const ngx_int_t sent = ngx_http_send_header(r);
  if (sent == NGX_ERROR || sent > NGX_OK || r->header_only) {
    return sent;
  }
  ngx_chain_t chain{buffer, nullptr};
  return ngx_http_output_filter(r, &chain);
}

}  // namespace

void watch_pages(MainConf& conf, ngx_log_t* log) noexcept {
  if (conf.pages == nullptr) {
    return;
  }
  auto* const buffer = static_cast<char*>(std::malloc(kMaxPage));
  if (buffer == nullptr) {
    return;
  }
  for (Page* page = conf.pages; page != nullptr; page = page->next) {
    watch(*page, buffer, log);
  }
  std::free(buffer);
}

void free_pages(MainConf& conf) noexcept {
  for (Page* page = conf.pages; page != nullptr; page = page->next) {
    drop(*page);
  }
}

ngx_int_t answer_maintenance(PeerState& state, Upstream& upstream) noexcept {
  ngx_http_request_t* const r = state.request;
  const bool page = upstream.gate.page != nullptr && upstream.gate.page->bytes != nullptr &&
                    r == r->main && state.main->refused_by != upstream.app;
  const ngx_int_t status = say_unavailable(state, upstream, core::Reason::kMaintenance,
                                           upstream.gate.maintenance.retry_after_s);
  ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                "bluegreen: application \"%*s\" is in maintenance", upstream.app->name.size(),
                upstream.app->name.data());
  if (status != NGX_HTTP_SERVICE_UNAVAILABLE || !page) {
    return status;
  }
  ngx_http_finalize_request(r, send_page(r, upstream));
  return NGX_DONE;
}

ngx_int_t maintain_late(PeerState& state) noexcept {
  ngx_http_request_t* const r = state.request;
  if (leave_upstream(r)) {
    const ngx_int_t status = answer_maintenance(state, *state.upstream);
    if (status != NGX_DONE) {
      ngx_http_finalize_request(r, status);
    }
  }
  return NGX_BUSY;
}

}  // namespace bluegreen::glue
