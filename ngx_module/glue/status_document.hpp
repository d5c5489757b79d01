// The status documents of this worker: made from what the request path reads, and kept, so that
// each is made at most once in the time that its `bluegreen_status` says (one second), however many
// ask.
//
// Worker, off the proxied requests' path. Memory: one document for each application (and one for
// all) in each format, of the process; a document that somebody still reads lives until that
// request ends. Fails by nullptr, without memory.
#pragma once

#include "ngx_module/core/status_format.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

struct StatusDocument {
  std::uint32_t readers;  // the cache is one of them
  ngx_uint_t status;      // 200, or 503: the module cannot see its region
  ngx_msec_t made;
  std::size_t size;
  char* text;
};

// `app`: nullptr for all. The caller is a reader until it lets go of it.
StatusDocument* status_document(MainConf& conf, core::StatusFormat format, const App* app,
                                ngx_msec_t keep) noexcept;
void let_go(StatusDocument* document) noexcept;
// The cycle ends: its documents with it.
void forget_status_documents() noexcept;

}  // namespace bluegreen::glue
