// What the error log is told about the two files: each state once, when it begins.
// Called by the master at a start (all of it) and by worker 0, so that one line appears, not one a
// worker. A null log says nothing.
#pragma once

#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

void report_control(MainConf& conf, ngx_log_t* log) noexcept;
// `error`: an errno of the master's prepare; 0 otherwise.
void report_telemetry(MainConf& conf, ngx_log_t* log, int error) noexcept;
void report_rejected(const MainConf& conf, const Upstream& upstream, ngx_log_t* log) noexcept;
void report_whole_again(const MainConf& conf, const Upstream& upstream, ngx_log_t* log) noexcept;
void report_mirror(const Upstream& upstream, ngx_log_t* log) noexcept;

// "route word" or "endpoint table": what is damaged in a control file that is whole otherwise.
const char* problem_of(const core::AcceptedRoute& route) noexcept;

}  // namespace bluegreen::glue
