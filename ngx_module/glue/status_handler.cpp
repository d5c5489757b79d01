// See status_handler.hpp. 405 for other methods, 500 without memory.
#include "ngx_module/glue/status_handler.hpp"

#include "ngx_module/core/figures.hpp"
#include "ngx_module/core/render_json.hpp"
#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/ngx_compat.hpp"
#include "ngx_module/glue/report.hpp"
#include "ngx_module/glue/upstream.hpp"

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

core::AppStatus model_of(const MainConf& conf, const Upstream& upstream,
                         const core::LiveSlots& slots) noexcept {
  core::AppStatus model;
  model.name = upstream.app->name;
  model.source = source_of(upstream.route.basis());
  model.route = upstream.route.snapshot().route;
  model.generation = upstream.route.snapshot().generation;
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
    model.colors[c] = {upstream.release(color), figures.color[c],
                       published ? table.published_unix_ns : conf.since_unix_ns, table.endpoints,
                       table.count};
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

void render(core::BoundedWriter& out, MainConf& conf, const core::StatusHead& head,
            const core::LiveSlots& slots) noexcept {
  core::render_head(out, head);
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    bool seen = false;
    for (ngx_uint_t before = 0; before < i; ++before) {
      seen = seen || conf.upstream_list()[before]->app == conf.upstream_list()[i]->app;
    }
    if (!seen) {
      core::render_app(out, model_of(conf, *conf.upstream_list()[i], slots), i == 0);
    }
  }
  core::render_tail(out);
}

ngx_buf_t* document(ngx_http_request_t* r, MainConf& conf) noexcept {
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
  core::StatusHead head;
  char reason[192];
  head.control_state = shm::name_of(conf.control.state());
  head.control_path = view(conf.control_path);
  head.control_reason = control_reason(conf, head, reason, sizeof(reason));
  head.telemetry_state = telemetry_state(conf);
  head.telemetry_path = view(conf.telemetry_path);
  // Relaxed pairs with the workers' stores: shown to people.
  head.inexact = !conf.telemetry.exact() ||
                 conf.telemetry.region()->slotless.load(std::memory_order_relaxed) != 0;
  head.live_workers = slots.workers.live;
  head.attached_workers = slots.workers.attached;

  core::BoundedWriter measure(nullptr, 0);
  render(measure, conf, head, slots);
  // Figures may grow by a digit between the two passes.
  const std::size_t size = measure.needed() + 256;
  ngx_buf_t* const buffer = ngx_create_temp_buf(r->pool, size);
  if (buffer == nullptr) {
    return nullptr;
  }
  core::BoundedWriter out(reinterpret_cast<char*>(buffer->pos), size);
  render(out, conf, head, slots);
  if (out.overflowed()) {
    return nullptr;
  }
  buffer->last = buffer->pos + out.needed();
  buffer->last_buf = r == r->main ? 1 : 0;
  buffer->last_in_chain = 1;
  return buffer;
}

bool forbid_caching(ngx_http_request_t* r) noexcept {
  auto* const header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
  if (header == nullptr) {
    return false;
  }
  header->hash = 1;
  ngx_str_set(&header->key, "Cache-Control");
  ngx_str_set(&header->value, "no-store");
  end_header_chain(header);
  return true;
}

}  // namespace

}  // namespace bluegreen::glue

extern "C" ngx_int_t ngx_http_bluegreen_status_handler(ngx_http_request_t* r) {
  using namespace bluegreen::glue;
  if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
    return NGX_HTTP_NOT_ALLOWED;
  }
  const ngx_int_t discarded = ngx_http_discard_request_body(r);
  if (discarded != NGX_OK) {
    return discarded;
  }
  auto& conf = *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_bluegreen_module));
  ngx_buf_t* const buffer = document(r, conf);
  if (buffer == nullptr || !forbid_caching(r)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  r->headers_out.status = NGX_HTTP_OK;
  r->headers_out.content_length_n = buffer->last - buffer->pos;
  ngx_str_set(&r->headers_out.content_type, "application/json");
  r->headers_out.content_type_len = r->headers_out.content_type.len;
  const ngx_int_t sent = ngx_http_send_header(r);
  if (sent == NGX_ERROR || sent > NGX_OK || r->header_only) {
    return sent;
  }
  ngx_chain_t chain{buffer, nullptr};
  return ngx_http_output_filter(r, &chain);
}
