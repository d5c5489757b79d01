// See render_json.hpp. Runs in a worker, once for each document; no allocation, no failure.
#include "ngx_module/core/render_json.hpp"

namespace bluegreen::core {

namespace {

void key(BoundedWriter& out, std::string_view name, bool first = false) noexcept {
  if (!first) {
    out.put(',');
  }
  out.put('"');
  out.text(name);  // ours, and plain
  out.text("\":");
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

// Of a time that may not be known.
void render_moment(BoundedWriter& out, std::uint64_t unix_ns,
                   void (*render)(BoundedWriter&, std::uint64_t)) noexcept {
  if (unix_ns == 0) {
    out.text("null");
    return;
  }
  out.put('"');
  render(out, unix_ns);
  out.put('"');
}

// Milliseconds, to the microsecond.
void render_latency(BoundedWriter& out, std::uint64_t us) noexcept {
  out.number(us / 1000);
  out.put('.');
  out.put(static_cast<char>('0' + us / 100 % 10));
  two_digits(out, us);
}

void render_health(BoundedWriter& out, const ColorStatus& color, std::uint32_t place) noexcept {
  shm::HealthDetail detail{};
  const bool known = endpoint_detail(color, place, detail);
  key(out, "health");
  out.json(shm::name_of(endpoint_health(color, place)));
  out.text(",\"since\":\"");
  render_time(out, known ? detail.since_unix_ns : color.since_unix_ns);
  out.text("\",\"last_error\":");
  out.json(known ? shm::text_of(detail.last_error) : std::string_view{});
  key(out, "status");
  out.number(detail.status);
  key(out, "latency_ms");
  render_latency(out, detail.latency_us);
  key(out, "checked");
  render_moment(out, detail.checked_unix_ns, render_instant);
  key(out, "probes");
  out.number(detail.probes);
  key(out, "failures");
  out.number(detail.failures);
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
    render_health(out, color, i);
    out.put('}');
  }
  out.put(']');
}

constexpr std::uint64_t kEventsShown = 32;

void render_event_state(BoundedWriter& out, const shm::Event& event, std::uint8_t state) noexcept {
  switch (static_cast<shm::EventKind>(event.kind)) {
    case shm::EventKind::kHealth:
      out.json(shm::name_of(static_cast<shm::Health>(state & 3U)));
      return;
    case shm::EventKind::kFlip:
      out.json(shm::name_of(state == 0 ? shm::Color::kBlue : shm::Color::kGreen));
      return;
    default:
      out.text("null");
  }
}

void render_event(BoundedWriter& out, const shm::Event& event,
                  const std::string_view (&names)[shm::kMaxApps], bool first) noexcept {
  out.text(first ? "{\"number\":" : ",{\"number\":");
  out.number(event.number);
  out.text(",\"time\":\"");
  render_instant(out, event.unix_ns);
  out.text("\",\"kind\":");
  out.json(shm::name_of(static_cast<shm::EventKind>(event.kind)));
  key(out, "pid");
  out.number(event.pid);
  key(out, "app");
  out.json(event.app < shm::kMaxApps ? names[event.app] : std::string_view{});
  key(out, "color");
  out.json(event.color < 2 ? shm::name_of(event.color == 0 ? shm::Color::kBlue : shm::Color::kGreen)
                           : std::string_view{});
  key(out, "endpoint");
  out.json(shm::text_of(event.endpoint));
  key(out, "before");
  render_event_state(out, event, event.before);
  key(out, "after");
  render_event_state(out, event, event.after);
  key(out, "weight");
  out.number(event.weight);
  key(out, "generation");
  out.number(event.generation);
  key(out, "text");
  out.json(shm::text_of(event.text));
  out.put('}');
}

void render_distribution(BoundedWriter& out, const Traffic& traffic, std::size_t phase) noexcept {
  const Latency& latency = traffic.latency[phase];
  out.text("{\"count\":");
  out.number(latency.count);
  key(out, "sum_ms");
  render_latency(out, latency.sum_us);
  key(out, "p50_ms");
  render_latency(out, latency.p50_us);
  key(out, "p90_ms");
  render_latency(out, latency.p90_us);
  key(out, "p99_ms");
  render_latency(out, latency.p99_us);
  if (traffic.buckets != nullptr) {
    out.text(",\"buckets\":[");
    bool first = true;
    for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
      if (traffic.buckets[phase].counts[i] != 0) {
        out.text(first ? "[" : ",[");
        first = false;
        out.number(shm::bucket_begin(i + 1));
        out.put(',');
        out.number(traffic.buckets[phase].counts[i]);
        out.put(']');
      }
    }
    out.put(']');
  }
  out.put('}');
}

void render_traffic(BoundedWriter& out, const Figures& counts, const Traffic& traffic) noexcept {
  out.text(",\"responses\":{");
  for (std::size_t i = 0; i < 5; ++i) {
    key(out, kClassNames[i], i == 0);
    out.number(counts.responses[i]);
  }
  key(out, "none");
  out.number(counts.no_response);
  out.put('}');
  const struct {
    std::string_view name;
    std::uint64_t value;
  } figures[] = {
      {"tries", counts.tries},        {"failures", counts.failures},
      {"retries", traffic.retries},   {"connect_errors", traffic.connect_errors},
      {"timeouts", traffic.timeouts}, {"other_errors", traffic.other_errors},
      {"bytes_in", traffic.bytes_in}, {"bytes_out", traffic.bytes_out},
  };
  for (const auto& figure : figures) {
    key(out, figure.name);
    out.number(figure.value);
  }
  out.text(",\"latency\":{\"connect\":");
  render_distribution(out, traffic, 0);
  key(out, "first_byte");
  render_distribution(out, traffic, 1);
  key(out, "total");
  render_distribution(out, traffic, 2);
  out.put('}');
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
  render_traffic(out, color.figures, color.traffic);
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
  out.text("},\"instance\":\"");
  for (int shift = 60; shift >= 0; shift -= 4) {
    out.put("0123456789abcdef"[head.instance >> static_cast<unsigned>(shift) & 15U]);
  }
  out.text("\",\"prober\":{\"pid\":");
  out.number(head.prober_pid);
  key(out, "epoch");
  out.number(head.prober_epoch);
  out.text("},\"apps\":{");
}

void render_app(BoundedWriter& out, const AppStatus& app, bool first) noexcept {
  if (!first) {
    out.put(',');
  }
  out.json(app.name);
  out.text(":{\"active\":");
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
  key(out, "flipped");
  render_moment(out, app.flipped_unix_ns, render_time);
  key(out, "source");
  out.json(app.source);
  key(out, "colors");
  out.text("{\"blue\":");
  render_color(out, app.colors[0]);
  key(out, "green");
  render_color(out, app.colors[1]);
  out.text("}}");
}

void render_tail(BoundedWriter& out, const StatusHead& head,
                 const std::string_view (&names)[shm::kMaxApps]) noexcept {
  out.text("},\"events\":[");
  if (head.events != nullptr) {
    // Acquire pairs with the writers' additions; an event that is not whole yet is left out.
    const std::uint64_t newest = head.events->count.load(std::memory_order_acquire);
    bool first = true;
    for (std::uint64_t i = 0; i < kEventsShown && i < newest; ++i) {
      shm::Event event;
      if (shm::read_event(*head.events, newest - i, event)) {
        render_event(out, event, names, first);
        first = false;
      }
    }
  }
  out.text("]}\n");
}

void note_probed(ColorStatus& color) noexcept {
  shm::HealthDetail detail;
  for (std::uint32_t i = 0; i < color.count; ++i) {
    const bool known =
        endpoint_health(color, i) != shm::Health::kUnknown && endpoint_detail(color, i, detail);
    color.probed[i] =
        known ? Probed{detail.probes, detail.failures, detail.latency_us, true} : Probed{};
  }
}

bool endpoint_detail(const ColorStatus& color, std::uint32_t place,
                     shm::HealthDetail& out) noexcept {
  if (color.health == nullptr || place >= shm::kMaxEndpoints) {
    return false;
  }
  // A prober at work writes the detail that counts once in a probe: it is there again at once.
  for (int tries = 0; tries < 3; ++tries) {
    if (shm::read_detail(color.health[place], color.tags[place], out)) {
      return true;
    }
  }
  out = shm::HealthDetail{};
  return false;
}

shm::Health endpoint_health(const ColorStatus& color, std::uint32_t place) noexcept {
  return color.health != nullptr && place < shm::kMaxEndpoints
             ? shm::health_of(color.health[place], color.tags[place])
             : shm::Health::kUnknown;
}

}  // namespace bluegreen::core
