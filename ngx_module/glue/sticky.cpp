// See sticky.hpp.
#include "ngx_module/glue/sticky.hpp"

namespace bluegreen::glue {

core::Position position_of(PeerState& state, const shm::Route& route) noexcept {
  core::Position* const known = split_position(state);
  if (known != nullptr && *known != core::kUnplaced) {
    return *known;
  }
  const core::Position position = state.upstream->split.next(core::green_share(route));
  if (known != nullptr) {
    *known = position;
  }
  return position;
}

}  // namespace bluegreen::glue
