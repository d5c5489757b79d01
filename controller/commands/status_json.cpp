// The status document of the contract, schema 1, as bgctl writes it.
#include <nlohmann/json.hpp>

#include "controller/commands/status_view.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

// Health is what NGINX's probes say of exactly this endpoint; what nobody has probed is unknown
// since it was published.
json endpoint_json(const shm::Endpoint& endpoint, const EndpointHealth& found,
                   const std::string& published) {
  char text[shm::kEndpointTextSize];
  shm::format_endpoint(endpoint, text);
  const std::string since = utc_time_of_ns(found.since_unix_ns);
  json document = {{"address", text},
                   {"weight", endpoint.weight},
                   {"health", shm::name_of(found.health)},
                   {"since", since.empty() ? published : since},
                   {"last_error", found.last_error}};
  if (found.probes != 0) {
    document["status"] = found.status;
    document["latency_ms"] = static_cast<double>(found.latency_us) / 1000;
    document["checked"] = utc_time_of_ns(found.checked_unix_ns);
    document["probes"] = found.probes;
    document["failures"] = found.failures;
  }
  return document;
}

json latency_json(const LatencyFigures& found) {
  const auto ms = [](std::uint64_t us) { return static_cast<double>(us) / 1000; };
  return {{"count", found.count},
          {"sum_ms", ms(found.sum_us)},
          {"p50_ms", ms(found.quantile_us(500))},
          {"p90_ms", ms(found.quantile_us(900))},
          {"p99_ms", ms(found.quantile_us(990))}};
}

// What only a telemetry file with a second part has.
void add_details(json& document, const DetailFigures& found) {
  document["connect_errors"] = found.connect_errors;
  document["timeouts"] = found.timeouts;
  document["other_errors"] = found.other_errors;
  document["retries"] = found.retries;
  document["bytes_in"] = found.bytes_in;
  document["bytes_out"] = found.bytes_out;
  document["latency"] = {{"connect", latency_json(found.connect)},
                         {"first_byte", latency_json(found.first_byte)},
                         {"total", latency_json(found.total)}};
}

json responses_json(const std::optional<ColorFigures>& figures) {
  if (!figures) {
    return {};
  }
  json out = {{"none", figures->no_response}};
  for (std::size_t i = 0; i < figures->responses.size(); ++i) {
    out[std::to_string(i + 1) + "xx"] = figures->responses[i];
  }
  return out;
}

json color_json(const AppView& app, Color color) {
  const std::size_t c = shm::index_of(color);
  const shm::EndpointTable& table = app.snapshot->tables[c];
  const std::string since = utc_time_of_ns(table.published_unix_ns);
  json endpoints = json::array();
  for (std::uint32_t i = 0; i < app.probes[c].endpoints.size(); ++i) {
    endpoints.push_back(endpoint_json(table.endpoints[i], app.probes[c].endpoints[i], since));
  }
  json document = {{"release", shm::text_of(table.release)},
                   {"image", shm::text_of(table.image)},
                   {"deploy_id", shm::text_of(table.deploy_id)},
                   {"published", shm::is_published(table)},
                   {"published_at", since},
                   {"open", !app.snapshot->route.closed(color)},
                   {"endpoints", std::move(endpoints)}};
  // Null, not 0: what is not known must not look like an idle color.
  const auto figure = [&](std::uint64_t ColorFigures::*which) {
    return app.figures[c] ? json((*app.figures[c]).*which) : json();
  };
  document["in_flight"] = figure(&ColorFigures::in_flight);
  document["requests"] = figure(&ColorFigures::requests);
  document["waiting"] = figure(&ColorFigures::waiting);
  document["weighted"] = figure(&ColorFigures::weighted);
  document["previews"] = figure(&ColorFigures::previews);
  document["fallbacks"] = figure(&ColorFigures::fallbacks);
  document["refused"] = figure(&ColorFigures::refused);
  document["tries"] = figure(&ColorFigures::tries);
  document["failures"] = figure(&ColorFigures::failures);
  document["responses"] = responses_json(app.figures[c]);
  if (app.details[c]) {
    add_details(document, *app.details[c]);
  }
  return document;
}

json app_json(const AppView& app) {
  if (!app.snapshot) {
    return {{"state", "damaged"}, {"reason", app.reason}};
  }
  const shm::Route& route = app.snapshot->route;
  const shm::EndpointTable& active = app.snapshot->tables[shm::index_of(route.active)];
  const std::string flipped = utc_time_of_ns(app.snapshot->flipped_unix_ns);
  json document = {
      {"state", "ok"},
      {"active", shm::name_of(route.active)},
      {"generation", app.snapshot->generation},
      {"weight", route.weight},
      {"flags", flag_names(app)},
      {"release", shm::text_of(active.release)},
      {"flipped", flipped.empty() ? json(nullptr) : json(flipped)},
      {"flipped_at", flipped},
      {"colors",
       {{"blue", color_json(app, Color::kBlue)}, {"green", color_json(app, Color::kGreen)}}}};
  if (app.hold_left.count() > 0) {
    document["hold"] = {{"left_ms", app.hold_left.count()}};
  }
  return document;
}

json region_json(const RegionView& region) {
  json document = {{"state", region.state}, {"path", region.path}};
  if (!region.reason.empty()) {
    document["reason"] = region.reason;
  }
  return document;
}

}  // namespace

std::string status_json(const StatusView& view) {
  json control = region_json(view.control);
  if (view.control_id != 0) {
    char id[20];
    std::snprintf(id, sizeof(id), "%016llx", static_cast<unsigned long long>(view.control_id));
    control["id"] = id;
  }
  json telemetry = region_json(view.telemetry);
  telemetry["workers"] = view.live_workers;
  telemetry["attached"] = view.attached_workers;
  if (view.prober.has_lease) {
    telemetry["prober"] = {{"pid", view.prober.pid}, {"epoch", view.prober.epoch}};
  }
  json apps = json::object();
  for (const AppView& app : view.apps) {
    apps[app.name] = app_json(app);
  }
  return json({{"schema", 1},
               {"control", std::move(control)},
               {"telemetry", std::move(telemetry)},
               {"apps", std::move(apps)}})
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace bluegreen
