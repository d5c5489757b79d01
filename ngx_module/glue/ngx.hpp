// The only place where NGINX's headers enter C++. They are C, not meant for -Wpedantic, and are
// found as SYSTEM includes (CMakeLists.txt), generated for exactly the NGINX that is chosen.
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
}

#include <string_view>

extern "C" ngx_module_t ngx_http_bluegreen_module;

namespace bluegreen::glue {

inline std::string_view view(const ngx_str_t& text) noexcept {
  return {reinterpret_cast<const char*>(text.data), text.len};
}

inline ngx_str_t str(std::string_view text) noexcept {
  return {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
}

}  // namespace bluegreen::glue
