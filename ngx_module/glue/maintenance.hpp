// Maintenance: new requests of an application are answered 503 with Retry-After, from a page of
// `bluegreen_maintenance` that is kept in memory, or as NGINX answers 503 (so `error_page 503`
// works).
//
// Pages: read by the master at a start and by each worker's tick when the file has changed; a page
// that is not there any more is NGINX's own one again. Requests: in a worker, on the request path;
// they copy the page, which may be another one before they have sent it.
#pragma once

#include "ngx_module/glue/inflight.hpp"
#include "ngx_module/glue/watched_file.hpp"

namespace bluegreen::glue {

inline constexpr std::size_t kMaxPage = std::size_t{256} * 1024;

// A page's file as it was read last; upstreams that name the same file share it.
struct Page {
  WatchedFile file;
  char* bytes = nullptr;  // nullptr: NGINX's own page
  std::size_t size = 0;
  int said = -1;  // errno of the last report; -1 none
  Page* next = nullptr;
};

// Master at a start, worker once a second. `log` may be null.
void watch_pages(MainConf& conf, ngx_log_t* log) noexcept;
void free_pages(MainConf& conf) noexcept;

// From the gate: the status that the request is to be ended with, or NGX_DONE when it has been.
ngx_int_t answer_maintenance(PeerState& state, Upstream& upstream) noexcept;
// From peer.get, for a request that the gate could not stop; returns NGX_BUSY.
ngx_int_t maintain_late(PeerState& state) noexcept;

}  // namespace bluegreen::glue
