// The deadline of a whole deploy (`deploy_within`): when it began, and when it has to be over.
//
// What is over is the way forward up to the verdict of the soak; then it fails as any step does and
// the old color serves. Undoing has limits of its own, and so have the steps after the soak, which
// move no traffic: a deadline ends in an action, never in waiting.
//
// The beginning stands in the journal's first record, so that a recovery, in another process and
// perhaps after a reboot, counts on from it. Within one boot only the kernel's time since boot
// counts, which nobody can set; across boots there is only the wall clock, and one that was set
// back counts as no time at all. Called by the driver alone; nothing here fails.
#pragma once

#include "controller/config/config.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/trace.hpp"

namespace bluegreen {

// For the journal's first record.
void note_beginning(Facts& plan, Clock& clock);

// When the deploy with this first record has to be over. One without a beginning begins now.
Deadline give_up_at(const Facts& plan, const AppConfig& config, Clock& clock);

}  // namespace bluegreen
