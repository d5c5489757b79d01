// See preview.hpp.
#include "ngx_module/glue/preview.hpp"

#include "ngx_module/glue/header_list.hpp"

namespace bluegreen::glue {

namespace {

constexpr std::string_view kColorHeader = "X-Bluegreen-Color";
constexpr std::string_view kCookieHeader = "cookie";

std::uint64_t matching(const PreviewName& name, std::string_view value) noexcept {
  std::uint64_t bits = 0;
  for (const PreviewFile* file = name.files; file != nullptr; file = file->next) {
    bits |= file->secrets.match(value) ? file->bit : 0;
  }
  return bits;
}

// True when the header itself has to go.
bool take_header(const PreviewName& name, ngx_table_elt_t& header, std::uint64_t& bits) noexcept {
  if (!core::is_header(name.source, view(header.key))) {
    return false;
  }
  bits |= matching(name, view(header.value));
  ngx_memzero(header.value.data, header.value.len);
  header.value.len = 0;
  return true;
}

bool take_cookie(const PreviewName& name, ngx_table_elt_t& header, std::uint64_t& bits) noexcept {
  if (!core::same_word(view(header.key), kCookieHeader)) {
    return false;
  }
  core::CookiePair pair;
  bool any = false;
  auto* const bytes = reinterpret_cast<char*>(header.value.data);
  while (core::find_cookie(view(header.value), name.source.text(), 0, pair)) {
    bits |= matching(name, pair.value);
    header.value.len = core::cut_cookie(bytes, header.value.len, pair);
    any = true;
  }
  return any && header.value.len == 0;
}

bool take(const PreviewName& name, ngx_table_elt_t& header, std::uint64_t& bits) noexcept {
  return name.source.kind == core::PreviewSource::Kind::kHeader ? take_header(name, header, bits)
                                                                : take_cookie(name, header, bits);
}

// Nearly no request has a header of that length, and then there is nothing to compare.
bool has_header_of_length(const ngx_list_t& list, std::size_t length) noexcept {
  for (const ngx_list_part_t* part = &list.part; part != nullptr; part = part->next) {
    const auto* const headers = static_cast<const ngx_table_elt_t*>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      if (headers[i].key.len == length) {
        return true;
      }
    }
  }
  return false;
}

std::uint64_t take_all(ngx_http_request_t* r, const PreviewName& name) noexcept {
  std::uint64_t bits = 0;
  const std::size_t length = name.source.kind == core::PreviewSource::Kind::kHeader
                                 ? name.source.size
                                 : kCookieHeader.size();
  if (!has_header_of_length(r->headers_in.headers, length)) {
    return bits;
  }
  HeaderList headers(r->headers_in.headers);
  while (ngx_table_elt_t* const header = headers.current()) {
    // Without memory to remove it, it stays, without a value.
    if (!take(name, *header, bits) || !headers.remove(r->pool)) {
      headers.step();
    }
  }
  return bits;
}

std::uint64_t take_every(ngx_http_request_t* r, const MainConf& conf) noexcept {
  std::uint64_t bits = 0;
  for (const PreviewName* name = conf.preview_names; name != nullptr; name = name->next) {
    bits |= take_all(r, *name);
  }
  return bits;
}

void report(PreviewFile& file, const char* fault, int error, ngx_log_t* log) noexcept {
  const char* const before = file.said;
  file.said = fault;
  if (fault == before || log == nullptr) {
    return;
  }
  if (fault == nullptr) {
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "bluegreen: preview secret \"%s\" is read, preview is on",
                  file.file.path());
  } else {
    ngx_log_error(NGX_LOG_WARN, log, static_cast<ngx_err_t>(error),
                  "bluegreen: preview secret \"%s\": %s; preview is off", file.file.path(), fault);
  }
}

void watch(PreviewFile& file, ngx_log_t* log) noexcept {
  char text[core::kMaxSecretFile];
  std::size_t size = 0;
  const WatchedFile::Look look = file.file.look(text, sizeof(text), size);
  // Whether a file that cannot be seen is still the same is not known: an old secret opens nothing.
  if (look == WatchedFile::Look::kFailed || look == WatchedFile::Look::kUnseen) {
    file.file.read_anew();
    file.secrets.clear();
    report(file, "it cannot be read", file.file.error(), log);
  } else if (look == WatchedFile::Look::kRead) {
    report(file, file.secrets.load({text, size}), 0, log);
  }
  explicit_bzero(text, sizeof(text));
}

// What the upstream says of itself under that name would be a lie here.
bool add_color(ngx_http_request_t* r, shm::Color color) noexcept {
  HeaderList headers(r->headers_out.headers);
  while (ngx_table_elt_t* const header = headers.current()) {
    if (header->hash != 0 && header->key.len == kColorHeader.size() &&
        ngx_strncasecmp(header->key.data, str(kColorHeader).data, kColorHeader.size()) == 0) {
      header->hash = 0;
    }
    headers.step();
  }
  return add_header(r, kColorHeader, shm::name_of(color));
}

ngx_http_output_header_filter_pt next_filter = nullptr;

bool mark_preview(ngx_http_request_t* r) noexcept {
  const PeerState* const state = find_state(r);
  if (state == nullptr || state->main->previews == 0 || !state->decided ||
      !is_preview(*state->main, *state->upstream)) {
    return true;
  }
  return r != r->main || add_color(r, state->color);
}

extern "C" ngx_int_t ngx_http_bluegreen_color_header(ngx_http_request_t* r) {
  return mark_preview(r) ? next_filter(r) : NGX_ERROR;
}

}  // namespace

void watch_previews(MainConf& conf, ngx_log_t* log) noexcept {
  for (PreviewName* name = conf.preview_names; name != nullptr; name = name->next) {
    for (PreviewFile* file = name->files; file != nullptr; file = file->next) {
      watch(*file, log);
    }
  }
}

}  // namespace bluegreen::glue

extern "C" {

ngx_int_t ngx_http_bluegreen_take_preview(ngx_http_request_t* r) {
  using namespace bluegreen::glue;
  auto& conf = *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_bluegreen_module));
  const std::uint64_t bits = take_every(r, conf);
  if (bits != 0) {
    PeerState* const state = obtain_state(r, conf);
    if (state == nullptr) {
      return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    state->main->previews = bits;
  }
  return NGX_DECLINED;
}

ngx_int_t ngx_http_bluegreen_take_preview_late(ngx_http_request_t* r) {
  return r->internal != 0 ? ngx_http_bluegreen_take_preview(r) : NGX_DECLINED;
}

ngx_int_t ngx_http_bluegreen_hide_preview(ngx_http_request_t* r) {
  using namespace bluegreen::glue;
  if (r->phase_handler == 0) {
    take_every(
        r, *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_bluegreen_module)));
  }
  return NGX_OK;
}

void ngx_http_bluegreen_install_color_header(void) {
  bluegreen::glue::next_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = bluegreen::glue::ngx_http_bluegreen_color_header;
}

}  // extern "C"
