// The status document as metrics: Prometheus' text format 0.0.4, or OpenMetrics 1.0.0.
//
// Called by the status handler, in a worker, from the model that the JSON document has too. Pure;
// it cannot fail. All metrics are in one table, in render_prometheus.cpp; docs/status.md explains
// them.
#pragma once

#include <cstdint>

#include "ngx_module/core/bounded_writer.hpp"
#include "ngx_module/core/render_json.hpp"

namespace bluegreen::core {

struct MetricsPage {
  const StatusHead* head;
  const AppStatus* apps;
  std::uint32_t count;
};

void render_metrics(BoundedWriter& out, const MetricsPage& page, bool open_metrics) noexcept;

}  // namespace bluegreen::core
