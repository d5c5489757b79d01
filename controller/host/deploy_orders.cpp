// See deploy_orders.hpp.
#include "controller/host/deploy_orders.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "controller/host/atomic_file.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

constexpr std::array<Order, 3> kOrders{Order::kAbort, Order::kRollback, Order::kPromote};

const char* word_of(Order order) {
  return order == Order::kAbort ? "abort" : order == Order::kRollback ? "rollback" : "promote";
}

std::string path_of(const OrderTo& to, Order order) {
  return to.run_dir + "/" + to.lock_name + "." + word_of(order);
}

// Who gave it; none when there is no such order to this deploy.
std::optional<std::string> giver_of(const OrderTo& to, Order order) {
  const auto text = read_file(path_of(to, order));
  if (!text || !*text) {
    return std::nullopt;
  }
  const json document = json::parse(**text, nullptr, false);
  if (!document.is_object() || document.value("deploy", json()) != json(to.deploy) ||
      document.value("pid", json()) != json(to.pid)) {
    return std::nullopt;
  }
  const json by = document.value("by", json());
  return by.is_string() ? printable(by.get<std::string>()) : std::string("somebody");
}

}  // namespace

Result<void> give_order(const OrderTo& to, Order order, const std::string& by) {
  const std::string text = json({{"deploy", to.deploy}, {"pid", to.pid}, {"by", by}})
                               .dump(-1, ' ', false, json::error_handler_t::replace) +
                           "\n";
  const auto written = replace_file(path_of(to, order), text, 0600);
  return written ? Result<void>{}
                 : fail(ExitCode::kUsage, "the order cannot be laid down: " + written.error(),
                        "SIGTERM to process " + std::to_string(to.pid) + " stops the deploy too");
}

bool is_pending(const OrderTo& to, Order order) {
  return giver_of(to, order).has_value();
}

void withdraw_order(const OrderTo& to, Order order) {
  if (is_pending(to, order)) {
    (void)remove_file(path_of(to, order));
  }
}

DeployOrders::DeployOrders(OrderTo self)
    : self_(std::move(self)), changes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (changes_ && ::inotify_add_watch(changes_.get(), self_.run_dir.c_str(), IN_MOVED_TO) < 0) {
    changes_ = shm::UniqueFd();
  }
}

DeployOrders::~DeployOrders() {
  for (const Order order : kOrders) {
    withdraw_order(self_, order);
  }
}

std::string DeployOrders::why_stop() {
  std::array<char, 4096> notes{};
  while (::read(changes_.get(), notes.data(), notes.size()) > 0) {
  }
  for (const Order order : {Order::kAbort, Order::kRollback}) {
    if (const auto by = giver_of(self_, order)) {
      return (order == Order::kAbort ? "aborted by " : "rolled back by ") + *by;
    }
  }
  return {};
}

bool DeployOrders::take_promote() {
  const bool given = is_pending(self_, Order::kPromote);
  withdraw_order(self_, Order::kPromote);
  return given;
}

}  // namespace bluegreen
