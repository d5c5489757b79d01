// The Runtime that an application's configuration asks for. The one place that knows them all.
// Called by the commands that run or look at an application; touches neither Docker nor a process.
#pragma once

#include <memory>

#include "controller/config/config.hpp"
#include "controller/ports/runtime.hpp"

namespace bluegreen {

Result<std::unique_ptr<Runtime>> make_runtime(const Config& config, const AppConfig& app);

}  // namespace bluegreen
