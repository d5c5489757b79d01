// Who probes, and when: one worker of all that share a telemetry file, elected by the lease in it
// (shm/prober_lease.hpp), starts a run (probe_run.hpp) for each endpoint of both colors of every
// application that has a `bluegreen_probe`, and writes what it finds into the endpoint's record
// (shm/health_word.hpp), the error log and the events.
//
// Every worker of a configuration with probes looks ten times a second. The holder renews the
// lease, follows new tables, and lets go of everything once the lease is another worker's, the
// telemetry file is another one, or it was told to quit. Each endpoint has one timer, for the next
// probe or the end of the one that runs; no timer keeps a worker from its exit.
//
// Worker (or a single process), one thread. Fails by doing without: an endpoint that cannot be
// probed for reasons of this NGINX's keeps its health.
#pragma once

#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

struct Prober;

// At the worker's start, behind the telemetry's attach.
void start_prober(MainConf& conf) noexcept;
// At the worker's exit or the cycle's end, before the telemetry file is left: gives the lease back.
void stop_prober(MainConf& conf) noexcept;

}  // namespace bluegreen::glue
