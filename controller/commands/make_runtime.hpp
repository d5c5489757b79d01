// The Runtime that an application's configuration asks for. The one place that knows them all.
// The same for what sends its smoke checks.
// Called by the commands that run or look at an application; touches neither Docker nor a process.
#pragma once

#include <functional>
#include <memory>

#include "controller/config/config.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/smoke.hpp"

namespace bluegreen {

Result<std::unique_ptr<Runtime>> make_runtime(const Config& config, const AppConfig& app);

// What sends an application's smoke checks; null when it has none. `stop_asked` ends a request.
std::unique_ptr<SmokePort> make_smoke(const AppConfig& app, std::function<bool()> stop_asked = {});

}  // namespace bluegreen
