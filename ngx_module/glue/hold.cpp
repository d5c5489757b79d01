// See hold.hpp.
#include "ngx_module/glue/hold.hpp"

#include "ngx_module/glue/refuse.hpp"

namespace bluegreen::glue {

bool hold_in_force(const Upstream& upstream) noexcept {
  const shm::AppSnapshot& snapshot = upstream.route.snapshot();
  shm::BootId boot{};
  return snapshot.route.has(shm::kHold) && shm::boot_id(boot) &&
         shm::ticket_left_ns(snapshot.hold, boot, shm::boottime_ns()) != 0;
}

ngx_int_t hold_late(PeerState& state) noexcept {
  return refuse(state, "it is held");
}

}  // namespace bluegreen::glue
