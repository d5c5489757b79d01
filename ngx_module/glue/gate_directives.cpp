// bluegreen_hold, bluegreen_maintenance, bluegreen_preview: the directives behind gate.hpp. Called
// by NGINX's parser, in the master; what is refused is said with the directive, the value found and
// what was expected.
#include <new>

#include "ngx_module/glue/directives.hpp"
#include "ngx_module/glue/gate.hpp"
#include "ngx_module/glue/maintenance.hpp"
#include "ngx_module/glue/preview.hpp"

namespace bluegreen::glue {

namespace {

constexpr std::uint32_t kMaxPreviewFiles = 64;  // bits of RequestState::previews

char* const kFailed = static_cast<char*>(NGX_CONF_ERROR);

ngx_str_t* words(ngx_conf_t* cf) noexcept {
  return static_cast<ngx_str_t*>(cf->args->elts);
}

// Relative to the configuration's folder, as NGINX's own secret files are; ends with NUL.
bool full_name(ngx_conf_t* cf, std::string_view given, ngx_str_t& out) noexcept {
  out = str(given);
  return ngx_conf_full_name(cf->cycle, &out, 1) == NGX_OK;
}

Page* obtain_page(ngx_conf_t* cf, MainConf& conf, std::string_view name) noexcept {
  ngx_str_t path;
  if (!full_name(cf, name, path)) {
    return nullptr;
  }
  for (Page* page = conf.pages; page != nullptr; page = page->next) {
    if (view(path) == page->file.path()) {
      return page;
    }
  }
  void* const memory = ngx_palloc(cf->pool, sizeof(Page));
  if (memory == nullptr) {
    return nullptr;
  }
  auto* const page = new (memory) Page();
  page->file.name(reinterpret_cast<const char*>(path.data));
  page->next = conf.pages;
  conf.pages = page;
  return page;
}

PreviewName* obtain_name(ngx_conf_t* cf, MainConf& conf,
                         const core::PreviewSource& source) noexcept {
  for (PreviewName* name = conf.preview_names; name != nullptr; name = name->next) {
    if (name->source == source) {
      return name;
    }
  }
  void* const memory = ngx_palloc(cf->pool, sizeof(PreviewName));
  if (memory == nullptr) {
    return nullptr;
  }
  auto* const name = new (memory) PreviewName();
  name->source = source;
  name->next = conf.preview_names;
  conf.preview_names = name;
  return name;
}

std::uint32_t count_files(const MainConf& conf) noexcept {
  std::uint32_t count = 0;
  for (const PreviewName* name = conf.preview_names; name != nullptr; name = name->next) {
    for (const PreviewFile* file = name->files; file != nullptr; file = file->next) {
      ++count;
    }
  }
  return count;
}

PreviewFile* obtain_file(ngx_conf_t* cf, const MainConf& conf, PreviewName& name,
                         const ngx_str_t& path) noexcept {
  for (PreviewFile* file = name.files; file != nullptr; file = file->next) {
    if (view(path) == file->file.path()) {
      return file;
    }
  }
  const std::uint32_t count = count_files(conf);
  if (count == kMaxPreviewFiles) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "too many secret files in \"bluegreen_preview\": the limit is %uD",
                       kMaxPreviewFiles);
    return nullptr;
  }
  void* const memory = ngx_palloc(cf->pool, sizeof(PreviewFile));
  if (memory == nullptr) {
    return nullptr;
  }
  auto* const file = new (memory) PreviewFile();
  file->file.name(reinterpret_cast<const char*>(path.data));
  file->bit = std::uint64_t{1} << count;
  file->next = name.files;
  name.files = file;
  return file;
}

// NGINX keeps pointers of its own to the headers that it knows.
bool is_known_header(const core::PreviewSource& source) noexcept {
  for (const ngx_http_header_t* header = ngx_http_headers_in; header->name.len != 0; ++header) {
    if (core::is_header(source, view(header->name))) {
      return true;
    }
  }
  return false;
}

}  // namespace

}  // namespace bluegreen::glue

using namespace bluegreen::glue;  // NOLINT: the callbacks below are this file's only users
namespace core = bluegreen::core;

extern "C" {

char* ngx_http_bluegreen_hold(ngx_conf_t* cf, ngx_command_t*, void* data) {
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  if (upstream == nullptr) {
    return kFailed;
  }
  if (upstream->gate.hold.seen != 0) {
    return const_cast<char*>("is duplicate");
  }
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    if (const char* const expected = core::parse_hold(view(words(cf)[i]), upstream->gate.hold)) {
      return refuse_parameter(cf, words(cf)[i], expected);
    }
  }
  return NGX_CONF_OK;
}

char* ngx_http_bluegreen_maintenance(ngx_conf_t* cf, ngx_command_t*, void* data) {
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  if (upstream == nullptr) {
    return kFailed;
  }
  GateState& gate = upstream->gate;
  if (gate.maintenance.seen != 0) {
    return const_cast<char*>("is duplicate");
  }
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    if (const char* const expected =
            core::parse_maintenance(view(words(cf)[i]), gate.maintenance)) {
      return refuse_parameter(cf, words(cf)[i], expected);
    }
  }
  if (gate.maintenance.page.empty()) {
    return NGX_CONF_OK;
  }
  gate.page = obtain_page(cf, *upstream->conf, gate.maintenance.page);
  return gate.page != nullptr ? NGX_CONF_OK : kFailed;
}

char* ngx_http_bluegreen_preview(ngx_conf_t* cf, ngx_command_t*, void* data) {
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  if (upstream == nullptr) {
    return kFailed;
  }
  if (upstream->gate.preview_bit != 0) {
    return const_cast<char*>("is duplicate");
  }
  const ngx_str_t& variable = words(cf)[1];
  core::PreviewSource source;
  if (const char* const fault = core::parse_preview_source(view(variable), source)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid source \"%V\" in \"bluegreen_preview\": %s",
                       &variable, fault);
    return kFailed;
  }
  if (source.kind == core::PreviewSource::Kind::kHeader && is_known_header(source)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid source \"%V\" in \"bluegreen_preview\": expected a header that "
                       "NGINX does not use itself",
                       &variable);
    return kFailed;
  }
  ngx_str_t path;
  if (words(cf)[2].len == 0 || !full_name(cf, view(words(cf)[2]), path)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"bluegreen_preview\" needs the path of a file with a secret");
    return kFailed;
  }
  PreviewName* const name = obtain_name(cf, *upstream->conf, source);
  PreviewFile* const file =
      name != nullptr ? obtain_file(cf, *upstream->conf, *name, path) : nullptr;
  if (file == nullptr) {
    return kFailed;
  }
  upstream->gate.preview_bit = file->bit;
  return NGX_CONF_OK;
}

}  // extern "C"
