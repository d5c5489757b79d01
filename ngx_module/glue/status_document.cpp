// See status_document.hpp.
#include "ngx_module/glue/status_document.hpp"

#include <cstdlib>

#include "ngx_module/core/figures.hpp"
#include "ngx_module/core/render_json.hpp"
#include "ngx_module/core/render_prometheus.hpp"
#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/report.hpp"

namespace bluegreen::glue {

namespace {

std::string_view source_of(core::Basis basis) noexcept {
  switch (basis) {
    case core::Basis::kRegion:
      return "region";
    case core::Basis::kMirror:
      return "mirror";
    case core::Basis::kDefaults:
      return "defaults";
    case core::Basis::kNothing:
      break;
  }
  return "nothing";
}

core::AppFigures figures_of(const MainConf& conf, const App& app,
                            const core::LiveSlots& slots) noexcept {
  core::AppFigures figures;
  if (conf.telemetry.region() != nullptr && app.index != shm::kMaxApps) {
    figures = core::sum_slots(*conf.telemetry.region(), app.index, slots);
  }
  for (std::size_t c = 0; c < 2; ++c) {
    if (app.counters[c] == &app.own[c]) {
      core::add(figures.color[c], app.own[c], true);  // this worker has no slot
    }
  }
  return figures;
}

// The controller writes it behind the word: what was copied with the word may be the flip before.
std::uint64_t flipped_unix_ns(const MainConf& conf, const Upstream& upstream) noexcept {
  const shm::ControlRegion* const region = conf.control.region();
  if (upstream.route.basis() != core::Basis::kRegion || region == nullptr ||
      upstream.route.index() >= shm::kMaxApps) {
    return 0;
  }
  // Relaxed pairs with the controller's store: shown to people only.
  return region->apps[upstream.route.index()].flipped_unix_ns.load(std::memory_order_relaxed);
}

core::AppStatus model_of(const MainConf& conf, const Upstream& upstream,
                         const core::LiveSlots& slots) noexcept {
  core::AppStatus model;
  model.name = upstream.app->name;
  model.source = source_of(upstream.route.basis());
  model.route = upstream.route.snapshot().route;
  model.generation = upstream.route.snapshot().generation;
  model.flipped_unix_ns = flipped_unix_ns(conf, upstream);
  model.hold_left_ms = hold_in_force(upstream) ? upstream.gate.hold_until - ngx_current_msec : 0;
  if (model.hold_left_ms == 0) {
    // Its time is over: nobody waits, and `bgctl status` says so too.
    model.route.flags = static_cast<std::uint8_t>(model.route.flags & ~shm::kHold);
  }
  const core::AppFigures figures = figures_of(conf, *upstream.app, slots);
  for (const shm::Color color : shm::kColors) {
    const std::size_t c = shm::index_of(color);
    const shm::EndpointTable& table = upstream.table(color);
    const bool published = shm::is_published(table);
    model.colors[c] = {upstream.release(color),
                       figures.color[c],
                       published ? table.published_unix_ns : conf.since_unix_ns,
                       table.endpoints,
                       table.count,
                       upstream.app->board != nullptr ? upstream.app->board->health[c] : nullptr,
                       upstream.peers[c].tags,
                       {},
                       {}};
  }
  return model;
}

std::string_view telemetry_state(const MainConf& conf) noexcept {
  switch (conf.telemetry.state()) {
    case TelemetryState::kOk:
      return "ok";
    case TelemetryState::kDamaged:
      return "damaged";
    case TelemetryState::kMissing:
      break;
  }
  return "missing";
}

// The file is whole, but what it says about an application is not: damaged, with that reason.
std::string_view control_reason(MainConf& conf, core::StatusHead& head, char* text,
                                std::size_t size) noexcept {
  if (conf.control.state() != shm::ControlState::kOk) {
    return shm::describe(conf.control.error(), shm::kControlKind, text, size);
  }
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    const Upstream& upstream = *conf.upstream_list()[i];
    if (upstream.route.rejected()) {
      head.control_state = "damaged";
      std::snprintf(text, size, "application \"%.*s\" has a damaged %s",
                    static_cast<int>(upstream.app->name.size()), upstream.app->name.data(),
                    problem_of(upstream.route));
      return text;
    }
  }
  return {};
}

struct Model {
  core::StatusHead head;
  char reason[192] = {};
  core::AppStatus apps[shm::kMaxApps];
  std::string_view names[shm::kMaxApps];  // by index in the telemetry region
  core::Buckets buckets[2][core::kPhases];
  std::uint32_t count = 0;
  bool sees_its_region = true;
};

// A worker that goes on with what it accepted before, or with what another worker accepted, still
// sees; so does one whose control file was not made yet, if lines of its configuration serve.
bool sees_region(const MainConf& conf, const Model& model, core::Basis basis) noexcept {
  return model.head.control_state == "ok" || basis == core::Basis::kRegion ||
         basis == core::Basis::kMirror ||
         (basis == core::Basis::kDefaults && conf.control.state() == shm::ControlState::kMissing);
}

// A slot that had no tries of this color has no latencies either, and its part of the file may be a
// hole, which reading would fill.
void fill_traffic(core::Traffic& traffic, core::Buckets (&buckets)[core::kPhases],
                  const MainConf& conf, const App& app, std::size_t color,
                  const core::LiveSlots& slots) noexcept {
  for (core::Buckets& phase : buckets) {
    phase = core::Buckets();
  }
  const shm::TelemetryRegion* const region = conf.telemetry.region();
  // A worker without a slot has a board, but no place among the counters.
  const bool summed = region != nullptr && app.board != nullptr && app.index < shm::kMaxApps;
  for (std::uint32_t i = 0; summed && i < shm::kMaxSlots; ++i) {
    if (slots.taken[i] && core::shown(region->slots[i].counters[app.index][color].tries) != 0) {
      core::add(traffic, buckets, app.board->slots[i].colors[color]);
    }
  }
  if (app.detail[color] == &app.own_detail[color]) {
    core::add(traffic, buckets, app.own_detail[color]);
  }
  for (std::size_t i = 0; i < core::kPhases; ++i) {
    traffic.latency[i] = core::latency_of(buckets[i]);
  }
}

void fill_detail(Model& model, const MainConf& conf) noexcept {
  const shm::TelemetryRegion* const region = conf.telemetry.region();
  if (region != nullptr) {
    model.head.instance = region->header.id;
  }
  const shm::TelemetryDetail* const detail = conf.telemetry.detail();
  if (detail != nullptr) {
    model.head.events = &detail->events;
    // Acquire pairs with the prober's compare and swap.
    const shm::LeaseHolder holder =
        shm::lease_holder(detail->header.lease.holder.load(std::memory_order_acquire));
    model.head.prober_epoch = holder.epoch;
    if (holder.slot < shm::kMaxSlots && conf.telemetry.slot_is_live(holder.slot)) {
      // Relaxed pairs with the owner's store: shown to people.
      model.head.prober_pid = region->slots[holder.slot].pid.load(std::memory_order_relaxed);
    }
  }
  for (ngx_uint_t i = 0; i < conf.apps.nelts; ++i) {
    const App& app = *conf.app_list()[i];
    if (app.index < shm::kMaxApps) {
      model.names[app.index] = app.name;
    }
  }
}

void fill(Model& model, MainConf& conf, const App* only) noexcept {
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    resolve_app(conf, *conf.upstream_list()[i]);
    refresh(conf, *conf.upstream_list()[i]);
  }
  core::LiveSlots slots;
  if (conf.telemetry.region() != nullptr) {
    const auto life = [&conf](std::uint32_t slot) noexcept {
      return conf.telemetry.slot_is_live(slot);
    };
    slots = core::live_slots(*conf.telemetry.region(), conf.control.id(), life);
  }
  core::StatusHead& head = model.head;
  head.control_state = shm::name_of(conf.control.state());
  head.control_path = view(conf.control_path);
  head.control_reason = control_reason(conf, head, model.reason, sizeof(model.reason));
  head.telemetry_state = telemetry_state(conf);
  head.telemetry_path = view(conf.telemetry_path);
  // Relaxed pairs with the workers' stores: shown to people.
  head.inexact = !conf.telemetry.exact() ||
                 conf.telemetry.region()->slotless.load(std::memory_order_relaxed) != 0;
  head.live_workers = slots.workers.live;
  head.attached_workers = slots.workers.attached;
  head.now_unix_ns = unix_ns();
  head.started_unix_ns = conf.since_unix_ns;
  fill_detail(model, conf);
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    const Upstream& upstream = *conf.upstream_list()[i];
    bool wanted = only == nullptr || only == upstream.app;
    for (ngx_uint_t before = 0; before < i; ++before) {
      wanted = wanted && conf.upstream_list()[before]->app != upstream.app;
    }
    if (wanted && model.count < shm::kMaxApps) {
      core::AppStatus& app = model.apps[model.count++] = model_of(conf, upstream, slots);
      for (std::size_t c = 0; c < 2; ++c) {
        fill_traffic(app.colors[c].traffic, model.buckets[c], conf, *upstream.app, c, slots);
        app.colors[c].traffic.buckets = only != nullptr ? model.buckets[c] : nullptr;
      }
      model.sees_its_region =
          model.sees_its_region && sees_region(conf, model, upstream.route.basis());
    }
  }
}

bool is_metrics(core::StatusFormat format) noexcept {
  return format == core::StatusFormat::kPrometheus || format == core::StatusFormat::kOpenMetrics;
}

void write(core::BoundedWriter& out, const Model& model, core::StatusFormat format) noexcept {
  if (is_metrics(format)) {
    core::render_metrics(out, {&model.head, model.apps, model.count},
                         format == core::StatusFormat::kOpenMetrics);
    return;
  }
  core::render_head(out, model.head);
  for (std::uint32_t i = 0; i < model.count; ++i) {
    core::render_app(out, model.apps[i], i == 0);
  }
  core::render_tail(out, model.head, model.names);
}

void grow(char*& buffer, std::size_t& size) {
  const std::size_t larger = size != 0 ? 2 * size : 16384;
  auto* const memory = static_cast<char*>(std::realloc(buffer, larger));
  if (memory != nullptr) {
    buffer = memory;
    size = larger;
  }
}

StatusDocument* make(MainConf& conf, core::StatusFormat format, const App* app) noexcept {
  static Model model;  // a worker has one thread, and this is too large for its stack
  model = Model();
  fill(model, conf, app);
  for (std::uint32_t i = 0; is_metrics(format) && i < model.count; ++i) {
    core::note_probed(model.apps[i].colors[0]);
    core::note_probed(model.apps[i].colors[1]);
  }
  core::BoundedWriter out(nullptr, 0, grow);
  write(out, model, format);
  auto* const document = static_cast<StatusDocument*>(std::malloc(sizeof(StatusDocument)));
  if (out.overflowed() || document == nullptr) {
    std::free(out.data());
    std::free(document);
    return nullptr;
  }
  *document = {
      0,
      static_cast<ngx_uint_t>(model.sees_its_region ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE),
      ngx_current_msec, out.needed(), out.data()};
  return document;
}

constexpr std::size_t kFormats = 3;

// By format and the application's place in the configuration, the last one for all of them.
StatusDocument* kept_documents[kFormats][shm::kMaxApps + 1];

StatusDocument*& place_of(const MainConf& conf, core::StatusFormat format,
                          const App* app) noexcept {
  std::size_t at = shm::kMaxApps;
  for (ngx_uint_t i = 0; i < conf.apps.nelts && i < shm::kMaxApps; ++i) {
    at = conf.app_list()[i] == app ? i : at;
  }
  return kept_documents[static_cast<std::size_t>(format)][at];
}

void forget(StatusDocument*& kept) noexcept {
  if (kept != nullptr) {
    let_go(kept);
    kept = nullptr;
  }
}

}  // namespace

StatusDocument* status_document(MainConf& conf, core::StatusFormat format, const App* app,
                                ngx_msec_t keep) noexcept {
  StatusDocument*& kept = place_of(conf, format, app);
  if (kept == nullptr || ngx_current_msec - kept->made >= keep) {
    StatusDocument* const made = make(conf, format, app);
    if (made == nullptr) {
      return nullptr;
    }
    forget(kept);
    kept = made;
    ++kept->readers;
  }
  ++kept->readers;
  return kept;
}

void let_go(StatusDocument* document) noexcept {
  if (--document->readers == 0) {
    std::free(document->text);
    std::free(document);
  }
}

void forget_status_documents() noexcept {
  for (auto& of_format : kept_documents) {
    for (StatusDocument*& kept : of_format) {
      forget(kept);
    }
  }
}

}  // namespace bluegreen::glue
