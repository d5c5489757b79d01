// What the gate keeps for each upstream, and for all of them in the MainConf.
//
// Filled by the directives in the master (settings), and by each worker for itself (the rest). One
// thread. `busy` is all that a request looks at while nothing is held or in maintenance.
#pragma once

#include "ngx_module/core/gate_settings.hpp"
#include "ngx_module/glue/ngx.hpp"

namespace bluegreen::glue {

struct Page;         // maintenance.hpp
struct PreviewName;  // preview.hpp

struct GateState {
  GateState() noexcept { ngx_queue_init(&line); }

  bool busy = false;          // a hold that counts, maintenance, or somebody waits
  bool hold_counts = false;   // the accepted word holds, and its ticket counted when last looked at
  ngx_msec_t hold_until = 0;  // its deadline, in terms of ngx_current_msec
  std::uint64_t preview_bit = 0;   // of RequestState::previews; 0: no preview
  ngx_queue_t line;                // Waiter::link, in the order in which they go on
  ngx_queue_t* last_late = &line;  // those that came late stand first; &line: there is none
  ngx_msec_t next_expiry = 0;      // nobody has waited too long before this moment
  std::uint32_t waiting = 0;       // in the line
  core::HoldSettings hold;
  core::MaintenanceSettings maintenance;
  Page* page = nullptr;
};

// Wakes a worker while anybody waits in it.
struct HoldClock {
  ngx_event_t timer;  // looks at the words and the limits
  ngx_event_t now;    // goes on with a line that is being let go
};

}  // namespace bluegreen::glue
