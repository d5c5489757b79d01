// A timer that is ours and no connection's. NGINX's debug log takes the data of every event for a
// connection, so each has one that stands for nothing, and the owner behind it. None keeps a worker
// that shuts down from its exit. In a worker, one thread; cannot fail.
#pragma once

#include "ngx_module/glue/ngx.hpp"

namespace bluegreen::glue {

struct OwnTimer {
  ngx_event_t event;
  ngx_connection_t connection;
};

inline void set_up_timer(OwnTimer& timer, ngx_event_handler_pt handler, void* owner,
                         ngx_log_t* log) noexcept {
  timer.connection.fd = static_cast<ngx_socket_t>(-1);
  timer.connection.data = owner;
  timer.event.data = &timer.connection;
  timer.event.handler = handler;
  timer.event.log = log;
  timer.event.cancelable = 1;
}

inline void stop_timer(OwnTimer& timer) noexcept {
  if (timer.event.timer_set != 0) {
    ngx_del_timer(&timer.event);
  }
}

// Of an event whose data is an OwnTimer's connection.
template <typename Owner>
Owner& owner_of(const ngx_event_t& event) noexcept {
  return *static_cast<Owner*>(static_cast<ngx_connection_t*>(event.data)->data);
}

}  // namespace bluegreen::glue
