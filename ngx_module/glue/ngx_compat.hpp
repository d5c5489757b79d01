// What differs between the NGINX versions that this source is built for (1.22 to mainline).
// Inline functions only; each names the version that changed the thing.
#pragma once

#include "ngx_module/glue/ngx.hpp"

// Present under these conditions only, and called without a NULL check once they are there.
#if (NGX_HTTP_SSL || NGX_COMPAT)
#define BLUEGREEN_PEER_SESSIONS 1
#else
#define BLUEGREEN_PEER_SESSIONS 0
#endif

namespace bluegreen::glue {

// 1.23.0: headers of one name are linked to each other.
inline void end_header_chain(ngx_table_elt_t* header) noexcept {
#if (nginx_version >= 1023000)
  header->next = nullptr;
#else
  (void)header;
#endif
}

// 1.23.0: the Cookie headers are a list instead of an array. Asks `look` about each until it says
// true.
template <typename Look>
inline bool any_cookie_header(const ngx_http_request_t& r, Look look) noexcept {
#if (nginx_version >= 1023000)
  for (const ngx_table_elt_t* header = r.headers_in.cookie; header != nullptr;
       header = header->next) {
    if (look(*header)) {
      return true;
    }
  }
#else
  const auto* const* const headers =
      static_cast<const ngx_table_elt_t* const*>(r.headers_in.cookies.elts);
  for (ngx_uint_t i = 0; i < r.headers_in.cookies.nelts; ++i) {
    if (look(*headers[i])) {
      return true;
    }
  }
#endif
  return false;
}

// Something already sits where a balancer puts its init_upstream. Up to 1.29.6 that may be
// `keepalive`, which wraps what was there before it and so would be thrown away; later versions
// wrap at another moment, and only another balancer is found here.
inline const char* balancer_before_us() noexcept {
#if (nginx_version >= 1029007)
  return "must not stand beside another load balancing method or \"sticky\"";
#else
  return "must stand before \"keepalive\" and without another load balancing method";
#endif
}

// 1.29.6 brought `sticky`, which wraps the init_upstream that stands before it and then asks for
// endpoints by an id that only round robin's peers have: with any other balancer it does nothing
// but write a warning for each request. From 1.29.7 on `keepalive` does not wrap there any more, so
// that whatever does is `sticky`, or a stranger that could not know us either.
inline bool wrapped_by_another(const ngx_http_upstream_srv_conf_t& upstream,
                               ngx_http_upstream_init_pt ours) noexcept {
#if (nginx_version >= 1029007)
  return upstream.peer.init_upstream != ours;
#else
  (void)upstream;
  (void)ours;
  return false;
#endif
}

}  // namespace bluegreen::glue
