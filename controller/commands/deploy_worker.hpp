// What the detached deploy process (run_deploy.cpp) has in hand for its life, and hands to what it
// does before, beside and after the steps.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/commands/deploy_place.hpp"
#include "controller/host/deploy_orders.hpp"
#include "controller/host/system_clock.hpp"
#include "controller/host/trace.hpp"
#include "controller/ports/hooks.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/smoke.hpp"

namespace bluegreen {

struct DeployProcess {
  DeployPlace place;
  std::string id;
  DeployRequest request;
  std::unique_ptr<TraceFolder> trace;
  std::unique_ptr<EventSink> events;
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<SmokePort> smoke;      // null without smoke checks
  std::unique_ptr<DeployOrders> orders;  // until the verdict
  std::unique_ptr<HookPort> hooks;
  std::vector<std::string> post_stop_environment;  // for when keep_old is over
  SystemClock clock;
};

}  // namespace bluegreen
