// What is said over a probe's connection once it is there: the request, the answer, the verdict.
// Worker, one thread, from probe_run.
#pragma once

#include "ngx_module/glue/probe_run.hpp"

namespace bluegreen::glue {

// Each may end the run.
void talk(ProbeRun& run) noexcept;
void send_request(ProbeRun& run) noexcept;
void read_answer(ProbeRun& run) noexcept;

// Of the run, for those above (probe_run.cpp).
void end_run(ProbeRun& run, core::ProbeVerdict& verdict) noexcept;
// Its error is "WHAT: WHY".
void fail_run(ProbeRun& run, std::string_view what, std::string_view why) noexcept;
void fail_run_by_errno(ProbeRun& run, std::string_view what, int error) noexcept;
void drop_connection(ProbeRun& run) noexcept;
// A connection that was kept has failed before a byte came: the endpoint may have closed it while
// the request was under way, which is its right and says nothing. True: the run goes on over a new
// one.
bool try_afresh(ProbeRun& run) noexcept;

}  // namespace bluegreen::glue
