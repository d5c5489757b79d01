// Orders to a deploy that runs, from another process: a file each in the run directory, beside the
// application's lock, which is where a deploy is found.
//
//   app-<id>-<app>.{abort,rollback,promote}   {"deploy": "ID", "pid": 123, "by": "uid 0"}
//
// Given by replacing the file as a whole. An order is for that deploy and that process of it: what
// an earlier one has left says nothing to a later one. It counts until it is taken away: `promote`
// by whoever takes it, the others at the end of the deploy, so that giving them twice does no harm.
//
// DeployOrders is the deploy's side and lives in its process (commands/run_deploy); give_order is
// the other one. Errors: kUsage when the run directory cannot be written.
#pragma once

#include <cstdint>
#include <string>

#include "controller/ports/orders.hpp"
#include "controller/ports/result.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {

enum class Order : std::uint8_t { kAbort, kRollback, kPromote };

// Whom an order is for, and where it is laid down.
struct OrderTo {
  std::string run_dir;
  std::string lock_name;  // app_lock_name
  std::string deploy;
  long pid = 0;
};

Result<void> give_order(const OrderTo& to, Order order, const std::string& by);
// It has been given and not been taken.
bool is_pending(const OrderTo& to, Order order);
void withdraw_order(const OrderTo& to, Order order);

class DeployOrders : public OrdersPort {
 public:
  explicit DeployOrders(OrderTo self);
  // Takes its orders with it.
  ~DeployOrders() override;
  DeployOrders(const DeployOrders&) = delete;
  DeployOrders& operator=(const DeployOrders&) = delete;

  // Readable when something in the run directory has changed; -1 without inotify (its limits).
  int changes() const { return changes_.get(); }
  // Why the deploy is to stop, as in "aborted by uid 0"; empty while nobody has said so.
  std::string why_stop();
  bool take_promote() override;

 private:
  OrderTo self_;
  shm::UniqueFd changes_;
};

}  // namespace bluegreen
