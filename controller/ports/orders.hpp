// What people order a deploy to do while it runs.
//
// A stop (abort, rollback) is not here: it is a request to stop as a signal is one, and Clock ends
// its waits on it. Implementations: controller/host/deploy_orders (files in the run directory),
// controller/ports/fake_world (tests). Nothing here fails: an order that cannot be read is none.
#pragma once

namespace bluegreen {

class OrdersPort {
 public:
  virtual ~OrdersPort() = default;

  // True once for each `bgctl promote`: taking it is the answer to it.
  virtual bool take_promote() = 0;
};

}  // namespace bluegreen
