// What the worker tells in the ring of events (shm/event_ring.hpp), for people.
//
// Called by the worker's one thread, wherever something is noticed. Never fails; without the second
// part of the telemetry file nothing is told.
#pragma once

#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

// Fills in time, process id and number.
void note_event(MainConf& conf, shm::Event event) noexcept;

}  // namespace bluegreen::glue
