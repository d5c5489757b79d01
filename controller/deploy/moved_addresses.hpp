// Publishes the serving color anew when its containers are elsewhere than the control file says:
// Docker gives addresses without a fixed one (several replicas) anew at each start, and a container
// that was started again is another one for whoever remembers its health.
//
// Called by `bgctl recover` under the application's lock, at boot before NGINX starts. Release,
// image and deploy id stay; a color of which nothing runs is left as it is.
#pragma once

#include <string>

#include "controller/ports/regions.hpp"
#include "controller/ports/runtime.hpp"

namespace bluegreen {

// How many addresses were published, 0 when all were right.
Result<std::size_t> publish_moved_addresses(ControlPort& control, Runtime& runtime,
                                            const std::string& app);

}  // namespace bluegreen
