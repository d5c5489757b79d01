// See render_json.hpp. Runs in a worker, once for each document; no allocation, no failure.
#include "ngx_module/core/render_json.hpp"

namespace bluegreen::core {

namespace {

void key(BoundedWriter& out, std::string_view name, bool first = false) noexcept {
  if (!first) {
    out.put(',');
  }
  out.json(name);
  out.put(':');
}

void two_digits(BoundedWriter& out, std::uint64_t value) noexcept {
  out.put(static_cast<char>('0' + value / 10 % 10));
  out.put(static_cast<char>('0' + value % 10));
}

// Up to the seconds.
void render_date_time(BoundedWriter& out, std::uint64_t seconds) noexcept {
  std::uint64_t day = seconds / 86400;
  const std::uint64_t second = seconds % 86400;
  // Days to a civil date, with years that begin in March: the leap day is then the last one.
  day += 719468;
  const std::uint64_t era = day / 146097;
  const std::uint64_t of_era = day % 146097;
  const std::uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::uint64_t march_month = (5 * of_year + 2) / 153;
  const std::uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  out.number(era * 400 + year + (month <= 2 ? 1 : 0));
  out.put('-');
  two_digits(out, month);
  out.put('-');
  two_digits(out, of_year - (153 * march_month + 2) / 5 + 1);
  out.put('T');
  two_digits(out, second / 3600);
  out.put(':');
  two_digits(out, second / 60 % 60);
  out.put(':');
  two_digits(out, second % 60);
}

void render_flags(BoundedWriter& out, const shm::Route& route) noexcept {
  out.put('[');
  bool first = true;
  for (const FlagName& flag : kFlagNames) {
    if (route.has(flag.flag)) {
      if (!first) {
        out.put(',');
      }
      first = false;
      out.json(flag.name);
    }
  }
  out.put(']');
}

void render_endpoints(BoundedWriter& out, const ColorStatus& color) noexcept {
  out.put('[');
  for (std::uint32_t i = 0; i < color.count; ++i) {
    char address[shm::kEndpointTextSize];
    const std::size_t length = shm::format_endpoint(color.endpoints[i], address);
    out.text(i == 0 ? "{\"address\":" : ",{\"address\":");
    out.json({address, length});
    key(out, "weight");
    out.number(color.endpoints[i].weight);
    out.text(R"(,"health":"unknown","since":")");
    render_time(out, color.since_unix_ns);
    out.text(R"(","last_error":""})");
  }
  out.put(']');
}

void render_color(BoundedWriter& out, const ColorStatus& color) noexcept {
  out.text("{\"release\":");
  out.json(color.release);
  const struct {
    std::string_view name;
    std::uint64_t value;
  } figures[] = {
      {"in_flight", color.figures.in_flight}, {"requests", color.figures.requests},
      {"waiting", color.figures.waiting},     {"weighted", color.figures.weighted},
      {"previews", color.figures.previews},   {"fallbacks", color.figures.fallbacks},
      {"refused", color.figures.refused},
  };
  for (const auto& figure : figures) {
    key(out, figure.name);
    out.number(figure.value);
  }
  key(out, "endpoints");
  render_endpoints(out, color);
  out.put('}');
}

}  // namespace

void render_time(BoundedWriter& out, std::uint64_t unix_ns) noexcept {
  render_date_time(out, unix_ns / 1000000000U);
  out.put('Z');
}

void render_instant(BoundedWriter& out, std::uint64_t unix_ns) noexcept {
  render_date_time(out, unix_ns / 1000000000U);
  const std::uint64_t ms = unix_ns / 1000000U % 1000;
  out.put('.');
  out.put(static_cast<char>('0' + ms / 100));
  two_digits(out, ms);
  out.put('Z');
}

void render_head(BoundedWriter& out, const StatusHead& head) noexcept {
  out.text("{\"schema\":1,\"now\":\"");
  render_instant(out, head.now_unix_ns);
  out.text("\",\"control\":{\"state\":");
  out.json(head.control_state);
  key(out, "path");
  out.json(head.control_path);
  if (!head.control_reason.empty()) {
    key(out, "reason");
    out.json(head.control_reason);
  }
  out.text("},\"telemetry\":{\"state\":");
  out.json(head.telemetry_state);
  key(out, "path");
  out.json(head.telemetry_path);
  key(out, "inexact");
  out.text(head.inexact ? "true" : "false");
  out.text("},\"workers\":{\"live\":");
  out.number(head.live_workers);
  key(out, "attached");
  out.number(head.attached_workers);
  out.text("},\"apps\":{");
}

void render_app(BoundedWriter& out, const AppStatus& app, bool first) noexcept {
  key(out, app.name, first);
  out.text("{\"active\":");
  out.json(shm::name_of(app.route.active));
  key(out, "generation");
  out.number(app.generation);
  key(out, "weight");
  out.number(app.route.weight);
  key(out, "flags");
  render_flags(out, app.route);
  if (app.hold_left_ms != 0) {
    key(out, "hold");
    out.text("{\"left_ms\":");
    out.number(app.hold_left_ms);
    out.put('}');
  }
  key(out, "release");
  out.json(app.colors[shm::index_of(app.route.active)].release);
  key(out, "source");
  out.json(app.source);
  key(out, "colors");
  out.text("{\"blue\":");
  render_color(out, app.colors[0]);
  key(out, "green");
  render_color(out, app.colors[1]);
  out.text("}}");
}

void render_tail(BoundedWriter& out) noexcept {
  out.text("}}\n");
}

}  // namespace bluegreen::core
