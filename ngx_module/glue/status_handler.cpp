// See status_handler.hpp. 500 without memory.
#include "ngx_module/glue/status_handler.hpp"

#include <cstring>

#include "ngx_module/core/status_format.hpp"
#include "ngx_module/glue/gate.hpp"
#include "ngx_module/glue/header_list.hpp"
#include "ngx_module/glue/status_document.hpp"
#include "status_page.hpp"

namespace bluegreen::glue {

namespace {

constexpr char kBadFormat[] =
    "{\"error\":\"unknown format: expected json, prometheus, openmetrics or html\"}\n";
constexpr char kBadApp[] = "{\"error\":\"no such application\"}\n";

// `text` outlives the request.
ngx_int_t answer(ngx_http_request_t* r, ngx_uint_t status, std::string_view type,
                 std::string_view text) noexcept {
  auto* const buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
  if (buffer == nullptr || !add_header(r, "Cache-Control", "no-store")) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  r->headers_out.status = status;
  r->headers_out.content_length_n = static_cast<off_t>(text.size());
  r->headers_out.content_type = str(type);
  r->headers_out.content_type_len = type.size();
  const ngx_int_t sent = ngx_http_send_header(r);
  if (sent == NGX_ERROR || sent > NGX_OK || r->header_only) {
    return sent;
  }
  buffer->pos = str(text).data;
  buffer->last = buffer->pos + text.size();
  buffer->memory = 1;
  buffer->last_buf = r == r->main ? 1 : 0;
  buffer->last_in_chain = 1;
  ngx_chain_t chain{buffer, nullptr};
  return ngx_http_output_filter(r, &chain);
}

// An argument of the query, its percent signs resolved. False: it is not there, or no memory is.
bool argument(ngx_http_request_t* r, const char* name, std::string_view& out) noexcept {
  ngx_str_t raw;
  if (ngx_http_arg(r, reinterpret_cast<u_char*>(const_cast<char*>(name)), std::strlen(name),
                   &raw) != NGX_OK) {
    return false;
  }
  auto* const memory = static_cast<u_char*>(ngx_pnalloc(r->pool, raw.len + 1));
  if (memory == nullptr) {
    return false;
  }
  u_char* to = memory;
  u_char* from = raw.data;
  ngx_unescape_uri(&to, &from, raw.len, 0);
  out = {reinterpret_cast<const char*>(memory), static_cast<std::size_t>(to - memory)};
  return true;
}

std::string_view accept_header(ngx_http_request_t* r) noexcept {
  HeaderList headers(r->headers_in.headers);
  while (const ngx_table_elt_t* const header = headers.current()) {
    if (core::same_word(view(header->key), "accept")) {
      return view(header->value);
    }
    headers.step();
  }
  return {};
}

// False: one was asked for that there is not.
bool format_of(ngx_http_request_t* r, const core::StatusSettings& settings,
               core::StatusFormat& out) noexcept {
  std::string_view name;
  if (argument(r, "format", name)) {
    return core::parse_status_format(name, out);
  }
  out =
      (settings.seen & 1U) != 0 ? settings.format : core::negotiate_status_format(accept_header(r));
  return true;
}

bool find_app(ngx_http_request_t* r, const MainConf& conf, const App*& out) noexcept {
  std::string_view name;
  out = nullptr;
  if (!argument(r, "app", name)) {
    return true;
  }
  for (ngx_uint_t i = 0; i < conf.apps.nelts; ++i) {
    if (conf.app_list()[i]->name == name) {
      out = conf.app_list()[i];
    }
  }
  return out != nullptr;
}

// The same for every application: it asks for the documents that it shows.
ngx_int_t answer_page(ngx_http_request_t* r) noexcept {
  if (!add_header(r, "Content-Security-Policy", core::kStatusPagePolicy) ||
      !add_header(r, "X-Content-Type-Options", "nosniff") ||
      !add_header(r, "Referrer-Policy", "no-referrer")) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return answer(r, NGX_HTTP_OK, core::content_type_of(core::StatusFormat::kHtml),
                core::kStatusPage);
}

ngx_int_t not_allowed(ngx_http_request_t* r) noexcept {
  return add_header(r, "Allow", "GET, HEAD") ? NGX_HTTP_NOT_ALLOWED
                                             : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

void ngx_http_bluegreen_let_go(void* data) {
  let_go(static_cast<StatusDocument*>(data));
}

}  // namespace

}  // namespace bluegreen::glue

extern "C" ngx_int_t ngx_http_bluegreen_status_handler(ngx_http_request_t* r) {
  using namespace bluegreen;
  using namespace bluegreen::glue;
  if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
    return not_allowed(r);
  }
  const ngx_int_t discarded = ngx_http_discard_request_body(r);
  if (discarded != NGX_OK) {
    return discarded;
  }
  auto& conf = *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_bluegreen_module));
  const core::StatusSettings& settings =
      static_cast<ngx_http_bluegreen_loc_conf_t*>(
          ngx_http_get_module_loc_conf(r, ngx_http_bluegreen_module))
          ->status;
  core::StatusFormat format{};
  if (!format_of(r, settings, format)) {
    return answer(r, NGX_HTTP_BAD_REQUEST, "application/json", kBadFormat);
  }
  if (format == core::StatusFormat::kHtml) {
    return answer_page(r);
  }
  const App* app = nullptr;
  if (!find_app(r, conf, app)) {
    return answer(r, NGX_HTTP_NOT_FOUND, "application/json", kBadApp);
  }
  ngx_pool_cleanup_t* const cleanup = ngx_pool_cleanup_add(r->pool, 0);
  StatusDocument* const document =
      cleanup != nullptr ? status_document(conf, format, app, settings.keep_ms) : nullptr;
  if (document == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  cleanup->handler = ngx_http_bluegreen_let_go;
  cleanup->data = document;
  return answer(r, document->status, core::content_type_of(format),
                {document->text, document->size});
}
