// Unit tests of deploy_orders.hpp, and that SystemClock's waits end by an order.
#include "controller/host/deploy_orders.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "controller/host/system_clock.hpp"

using namespace bluegreen;
using namespace std::chrono_literals;

namespace {

class OrderFolder {
 public:
  OrderFolder() {
    char name[] = "/tmp/deploy_orders_test.XXXXXX";
    path = ::mkdtemp(name);
  }
  ~OrderFolder() { std::filesystem::remove_all(path); }
  OrderFolder(const OrderFolder&) = delete;
  OrderFolder& operator=(const OrderFolder&) = delete;

  OrderTo to(const std::string& deploy = "d1", long pid = 7) const {
    return {path, "app-1-app", deploy, pid};
  }
  std::string path;
};

}  // namespace

TEST_CASE("order reaches the deploy that it names and no other one") {
  const OrderFolder folder;
  DeployOrders orders(folder.to());
  CHECK(orders.why_stop().empty());
  REQUIRE(give_order(folder.to("d2"), Order::kAbort, "me"));
  CHECK(orders.why_stop().empty());
  REQUIRE(give_order(folder.to("d1", 8), Order::kAbort, "me"));
  CHECK(orders.why_stop().empty());
  REQUIRE(give_order(folder.to(), Order::kAbort, "uid 0"));
  CHECK(orders.why_stop() == "aborted by uid 0");
  CHECK(orders.why_stop() == "aborted by uid 0");
}

TEST_CASE("rollback is a stop too, and says that it was one") {
  const OrderFolder folder;
  DeployOrders orders(folder.to());
  REQUIRE(give_order(folder.to(), Order::kRollback, "me"));
  CHECK(orders.why_stop() == "rolled back by me");
}

TEST_CASE("promote is taken once, and that is its answer") {
  const OrderFolder folder;
  DeployOrders orders(folder.to());
  CHECK_FALSE(orders.take_promote());
  REQUIRE(give_order(folder.to(), Order::kPromote, "me"));
  CHECK(is_pending(folder.to(), Order::kPromote));
  CHECK(orders.why_stop().empty());
  CHECK(orders.take_promote());
  CHECK_FALSE(is_pending(folder.to(), Order::kPromote));
  CHECK_FALSE(orders.take_promote());
}

TEST_CASE("orders go with the deploy, those to another one stay") {
  const OrderFolder folder;
  {
    const DeployOrders orders(folder.to());
    REQUIRE(give_order(folder.to(), Order::kAbort, "me"));
    REQUIRE(give_order(folder.to("d2"), Order::kPromote, "me"));
  }
  CHECK_FALSE(is_pending(folder.to(), Order::kAbort));
  CHECK(is_pending(folder.to("d2"), Order::kPromote));
}

TEST_CASE("damaged order is none") {
  const OrderFolder folder;
  DeployOrders orders(folder.to());
  for (const char* text : {"", "{", "[]", "{\"deploy\":5,\"pid\":7}", "{\"deploy\":\"d1\"}"}) {
    const std::string path = folder.path + "/app-1-app.abort";
    FILE* file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    std::fputs(text, file);
    std::fclose(file);
    CHECK(orders.why_stop().empty());
  }
}

TEST_CASE("order ends a wait of the clock, with and without inotify") {
  const bool by_inotify = GENERATE(true, false);
  const OrderFolder folder;
  DeployOrders orders(folder.to());
  SystemClock clock;
  clock.heed(by_inotify ? orders.changes() : -1, [&orders] { return orders.why_stop(); });
  CHECK(clock.wait(1ms));
  CHECK_FALSE(clock.stop_requested());
  std::thread other([&folder] { (void)give_order(folder.to(), Order::kAbort, "me"); });
  const auto begin = clock.now();
  CHECK_FALSE(clock.wait(30s));
  other.join();
  CHECK(clock.now() - begin < 5s);
  CHECK(clock.stop_requested());
  CHECK(clock.stop_reason() == "aborted by me");
  // What comes after the deploy does not heed it.
  clock.heed(-1, {});
  CHECK_FALSE(clock.stop_requested());
}

TEST_CASE("file beside the orders wakes a wait and does not end it") {
  const OrderFolder folder;
  DeployOrders orders(folder.to());
  SystemClock clock;
  clock.heed(orders.changes(), [&orders] { return orders.why_stop(); });
  REQUIRE(give_order(folder.to("other"), Order::kAbort, "me"));
  const auto begin = clock.now();
  CHECK(clock.wait(50ms));
  CHECK(clock.now() - begin >= 50ms);
}
