// See render_prometheus.hpp. A metric's samples must stand together, so each line of the table
// goes over all applications for itself.
#include "ngx_module/core/render_prometheus.hpp"

#include "ngx_module/core/metric_samples.hpp"

namespace bluegreen::core {

namespace {

enum class Type : std::uint8_t { kGauge, kCounter, kHistogram };

template <typename Write>
void each_app(const MetricsPage& page, const Write& write) noexcept {
  for (std::uint32_t i = 0; i < page.count; ++i) {
    write(page.apps[i], Label{"app", page.apps[i].name});
  }
}

template <typename Write>
void each_color(const MetricsPage& page, const Write& write) noexcept {
  each_app(page, [&write](const AppStatus& app, const Label& name) noexcept {
    for (const shm::Color color : shm::kColors) {
      write(app, app.colors[shm::index_of(color)], name, Label{"color", shm::name_of(color)},
            color);
    }
  });
}

void control_ok(Samples& out, const MetricsPage& page) noexcept {
  out.add(page.head->control_state == "ok" ? 1 : 0);
}

void control_info(Samples& out, const MetricsPage& page) noexcept {
  out.add(1, Label{"state", page.head->control_state}, Label{"reason", page.head->control_reason});
}

void telemetry_ok(Samples& out, const MetricsPage& page) noexcept {
  out.add(page.head->telemetry_state == "ok" ? 1 : 0);
}

void inexact(Samples& out, const MetricsPage& page) noexcept {
  out.add(page.head->inexact ? 1 : 0);
}

void workers(Samples& out, const MetricsPage& page) noexcept {
  out.add(page.head->live_workers, Label{"state", "live"});
  out.add(page.head->attached_workers, Label{"state", "attached"});
}

void start_time(Samples& out, const MetricsPage& page) noexcept {
  out.add_decimal(page.head->started_unix_ns / 1000000, 3);
}

void active(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus& app, const ColorStatus&, const Label& name,
                          const Label& label, shm::Color color) noexcept {
    out.add(app.route.active == color ? 1 : 0, name, label);
  });
}

void generation(Samples& out, const MetricsPage& page) noexcept {
  each_app(page, [&out](const AppStatus& app, const Label& name) noexcept {
    out.add(app.generation, name);
  });
}

void flipped(Samples& out, const MetricsPage& page) noexcept {
  each_app(page, [&out](const AppStatus& app, const Label& name) noexcept {
    if (app.flipped_unix_ns != 0) {
      out.add_decimal(app.flipped_unix_ns / 1000000, 3, name);
    }
  });
}

void weight(Samples& out, const MetricsPage& page) noexcept {
  each_app(page, [&out](const AppStatus& app, const Label& name) noexcept {
    out.add_decimal(app.route.weight, 4, name);
  });
}

void flags(Samples& out, const MetricsPage& page) noexcept {
  each_app(page, [&out](const AppStatus& app, const Label& name) noexcept {
    for (const FlagName& flag : kFlagNames) {
      out.add(app.route.has(flag.flag) ? 1 : 0, name, Label{"flag", flag.name});
    }
  });
}

void releases(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label, shm::Color) noexcept {
    if (!color.release.empty()) {
      out.add(1, name, label, Label{"release", color.release});
    }
  });
}

template <std::uint64_t Figures::*kFigure>
void figure(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label,
                          shm::Color) noexcept { out.add(color.figures.*kFigure, name, label); });
}

void prober_epoch(Samples& out, const MetricsPage& page) noexcept {
  out.add(page.head->prober_epoch);
}

void events(Samples& out, const MetricsPage& page) noexcept {
  if (page.head->events != nullptr) {
    // Relaxed pairs with the writers' additions: only a number.
    out.add(page.head->events->count.load(std::memory_order_relaxed));
  }
}

void endpoints(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label, shm::Color) noexcept {
    std::uint64_t counts[4] = {};
    for (std::uint32_t i = 0; i < color.count; ++i) {
      ++counts[static_cast<std::size_t>(endpoint_health(color, i))];
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out.add(counts[i], name, label, Label{"health", shm::name_of(static_cast<shm::Health>(i))});
    }
  });
}

// `write` gets what labels an endpoint; what nobody has probed has no sample.
template <typename Write>
void each_endpoint(const MetricsPage& page, const Write& write) noexcept {
  each_color(page, [&write](const AppStatus&, const ColorStatus& color, const Label& name,
                            const Label& label, shm::Color) noexcept {
    for (std::uint32_t i = 0; i < color.count; ++i) {
      if (endpoint_health(color, i) != shm::Health::kUnknown) {
        char text[shm::kEndpointTextSize];
        const std::size_t length = shm::format_endpoint(color.endpoints[i], text);
        write(color, i, name, label, Label{"address", {text, length}});
      }
    }
  });
}

void endpoint_up(Samples& out, const MetricsPage& page) noexcept {
  each_endpoint(page, [&out](const ColorStatus& color, std::uint32_t place, const Label& app,
                             const Label& label, const Label& address) noexcept {
    out.add(endpoint_health(color, place) != shm::Health::kUnhealthy ? 1 : 0, app, label, address);
  });
}

template <typename Write>
void each_detail(const MetricsPage& page, const Write& write) noexcept {
  each_endpoint(page, [&write](const ColorStatus& color, std::uint32_t place, const Label& app,
                               const Label& label, const Label& address) noexcept {
    if (color.probed[place].known) {
      write(color.probed[place], app, label, address);
    }
  });
}

void probe_seconds(Samples& out, const MetricsPage& page) noexcept {
  each_detail(page, [&out](const Probed& detail, const auto&... labels) noexcept {
    out.add_decimal(detail.latency_us, 6, labels...);
  });
}

void probes(Samples& out, const MetricsPage& page) noexcept {
  each_detail(page, [&out](const Probed& detail, const auto&... labels) noexcept {
    out.add(detail.probes, labels...);
  });
}

void probe_failures(Samples& out, const MetricsPage& page) noexcept {
  each_detail(page, [&out](const Probed& detail, const auto&... labels) noexcept {
    out.add(detail.failures, labels...);
  });
}

template <std::uint64_t Traffic::*kFigure>
void traffic(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label,
                          shm::Color) noexcept { out.add(color.traffic.*kFigure, name, label); });
}

void responses(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label, shm::Color) noexcept {
    for (std::size_t i = 0; i < 5; ++i) {
      out.add(color.figures.responses[i], name, label, Label{"class", kClassNames[i]});
    }
    out.add(color.figures.no_response, name, label, Label{"class", "none"});
  });
}

void try_failures(Samples& out, const MetricsPage& page) noexcept {
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label, shm::Color) noexcept {
    out.add(color.traffic.connect_errors, name, label, Label{"reason", "connect"});
    out.add(color.traffic.timeouts, name, label, Label{"reason", "timeout"});
    out.add(color.traffic.other_errors, name, label, Label{"reason", "other"});
  });
}

void latencies(Samples& out, const MetricsPage& page) noexcept {
  static constexpr std::string_view kNames[kPhases] = {"connect", "first_byte", "total"};
  each_color(page, [&out](const AppStatus&, const ColorStatus& color, const Label& name,
                          const Label& label, shm::Color) noexcept {
    for (std::size_t i = 0; i < kPhases; ++i) {
      out.add_histogram(color.traffic.latency[i], name, label, Label{"phase", kNames[i]});
    }
  });
}

struct Metric {
  std::string_view name;  // a counter's: without "_total"
  Type type;
  std::string_view help;
  void (*write)(Samples& out, const MetricsPage& page) noexcept;
};

constexpr Metric kMetrics[] = {
    {"bluegreen_control_ok", Type::kGauge, "The control file is there and whole.", control_ok},
    {"bluegreen_control_info", Type::kGauge, "State of the control file, and why.", control_info},
    {"bluegreen_telemetry_ok", Type::kGauge, "The telemetry file is there and whole.",
     telemetry_ok},
    {"bluegreen_inexact", Type::kGauge, "Some worker's requests are missing in the figures.",
     inexact},
    {"bluegreen_workers", Type::kGauge,
     "NGINX workers that live, and that follow the control file.", workers},
    {"bluegreen_start_time_seconds", Type::kGauge, "When this configuration began, Unix time.",
     start_time},
    {"bluegreen_active", Type::kGauge, "Which color is active.", active},
    {"bluegreen_generation", Type::kGauge, "Generation of the route in force.", generation},
    {"bluegreen_flipped_timestamp_seconds", Type::kGauge,
     "When the active color last became another one, Unix time.", flipped},
    {"bluegreen_weight_ratio", Type::kGauge, "Share of the color that is not active.", weight},
    {"bluegreen_flag", Type::kGauge, "Which flags of the route are set.", flags},
    {"bluegreen_release_info", Type::kGauge, "The release that a color has.", releases},
    {"bluegreen_prober_epoch", Type::kGauge, "Counts the workers that have taken over probing.",
     prober_epoch},
    {"bluegreen_events", Type::kCounter, "Things that happened: see events in the JSON document.",
     events},
    {"bluegreen_endpoints", Type::kGauge, "Endpoints of a color by their health.", endpoints},
    {"bluegreen_endpoint_up", Type::kGauge, "0: probes fail; no sample: not known yet.",
     endpoint_up},
    {"bluegreen_endpoint_probe_seconds", Type::kGauge, "How long the last probe took.",
     probe_seconds},
    {"bluegreen_endpoint_probes", Type::kCounter, "Probes of an endpoint.", probes},
    {"bluegreen_endpoint_probe_failures", Type::kCounter, "Probes of an endpoint that failed.",
     probe_failures},
    {"bluegreen_requests", Type::kCounter, "Requests that went to a color.",
     figure<&Figures::requests>},
    {"bluegreen_responses", Type::kCounter, "Requests that ended, by class of status.", responses},
    {"bluegreen_in_flight", Type::kGauge, "Requests in flight.", figure<&Figures::in_flight>},
    {"bluegreen_waiting", Type::kGauge, "Requests that a hold keeps waiting.",
     figure<&Figures::waiting>},
    {"bluegreen_weighted", Type::kCounter, "Requests that the weight sent to the color.",
     figure<&Figures::weighted>},
    {"bluegreen_previews", Type::kCounter, "Requests that a preview sent to the color.",
     figure<&Figures::previews>},
    {"bluegreen_fallbacks", Type::kCounter, "Requests that fell back to the color.",
     figure<&Figures::fallbacks>},
    {"bluegreen_refused", Type::kCounter, "Requests that were refused.", figure<&Figures::refused>},
    {"bluegreen_tries", Type::kCounter, "Tries of endpoints.", figure<&Figures::tries>},
    {"bluegreen_try_failures", Type::kCounter, "Tries that failed, by reason.", try_failures},
    {"bluegreen_retries", Type::kCounter, "Tries after a request's first.",
     traffic<&Traffic::retries>},
    {"bluegreen_received_bytes", Type::kCounter, "Bytes from endpoints.",
     traffic<&Traffic::bytes_in>},
    {"bluegreen_sent_bytes", Type::kCounter, "Bytes to endpoints.", traffic<&Traffic::bytes_out>},
    {"bluegreen_latency_seconds", Type::kHistogram, "How long tries took, by phase.", latencies},
};

// OpenMetrics names a counter's family without the suffix that its samples have.
void comment(BoundedWriter& out, std::string_view what, const Metric& metric,
             bool suffix) noexcept {
  out.text(what);
  out.text(metric.name);
  out.text(suffix ? "_total " : " ");
}

}  // namespace

void render_metrics(BoundedWriter& out, const MetricsPage& page, bool open_metrics) noexcept {
  for (const Metric& metric : kMetrics) {
    const bool counter = metric.type == Type::kCounter;
    comment(out, "# HELP ", metric, counter && !open_metrics);
    out.text(metric.help);
    out.put('\n');
    comment(out, "# TYPE ", metric, counter && !open_metrics);
    out.text(counter ? "counter\n" : metric.type == Type::kHistogram ? "histogram\n" : "gauge\n");
    char name[64];
    BoundedWriter full(name, sizeof(name));
    full.text(metric.name);
    full.text(counter ? "_total" : "");
    Samples samples(out, {name, full.needed()});
    metric.write(samples, page);
  }
  if (open_metrics) {
    out.text("# EOF\n");
  }
}

}  // namespace bluegreen::core
