// What the worker tells in the ring of events (shm/event_ring.hpp), for people.
//
// All workers see the same files: who swaps what was told last for what is so now tells it.
//
// Called by the worker's one thread, wherever something is noticed. Never fails; without the second
// part of the telemetry file nothing is told.
#pragma once

#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

// One that is about no application and no color yet.
shm::Event event_of(shm::EventKind kind) noexcept;
// Fills in time, process id and number.
void note_event(MainConf& conf, shm::Event event) noexcept;

// What the word in force changes against the one that was told last, by any worker: told once.
void tell_route(MainConf& conf, const Upstream& upstream) noexcept;
// Whether the control file has become damaged, or whole again.
void tell_control(MainConf& conf, shm::ControlState state) noexcept;
// The telemetry file was written over or cut, and is right again. For one of the workers to tell.
void tell_telemetry_healed(MainConf& conf) noexcept;

}  // namespace bluegreen::glue
