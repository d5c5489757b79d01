// See report.hpp.
#include "ngx_module/glue/report.hpp"

namespace bluegreen::glue {

namespace {

const char* consequence_of(const core::AcceptedRoute& route) noexcept {
  return route.accepted() ? "the last accepted route and endpoints go on"
                          : "nothing was accepted before, requests are answered 503";
}

}  // namespace

const char* problem_of(const core::AcceptedRoute& route) noexcept {
  return route.problem() == shm::ReadResult::kBadTable ? "endpoint table" : "route word";
}

void report_control(MainConf& conf, ngx_log_t* log) noexcept {
  const shm::ControlState state = conf.control.state();
  if (state == conf.said_control || log == nullptr) {
    return;
  }
  conf.said_control = state;
  char reason[160];
  shm::describe(conf.control.error(), shm::kControlKind, reason, sizeof(reason));
  if (state == shm::ControlState::kOk) {
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "bluegreen: control file \"%V\" is attached",
                  &conf.control_path);
  } else if (state == shm::ControlState::kMissing) {
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "bluegreen: control file \"%V\" is missing: what was accepted before goes on, "
                  "else the bluegreen_server lines, blue",
                  &conf.control_path);
  } else {
    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "bluegreen: control file \"%V\" is damaged: %s; what was accepted before goes "
                  "on, else requests are answered 503",
                  &conf.control_path, reason);
  }
}

void report_telemetry(MainConf& conf, ngx_log_t* log, int error) noexcept {
  const bool bad = error != 0 || !conf.telemetry.exact();
  if (bad == conf.said_telemetry || log == nullptr) {
    return;
  }
  conf.said_telemetry = bad;
  if (!bad) {
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "bluegreen: telemetry file \"%V\" is attached",
                  &conf.telemetry_path);
    return;
  }
  char reason[160] = "no free worker slot, or no room for an application's name";
  if (conf.telemetry.error().result != shm::OpenResult::kOk) {
    shm::describe(conf.telemetry.error(), shm::kTelemetryKind, reason, sizeof(reason));
  } else if (error != 0) {
    shm::OpenError failed;
    failed.result = shm::OpenResult::kIoError;
    failed.error = error;
    shm::describe(failed, shm::kTelemetryKind, reason, sizeof(reason));
  }
  ngx_log_error(NGX_LOG_ERR, log, 0,
                "bluegreen: telemetry file \"%V\" cannot be used: %s; requests are served, "
                "a drain cannot be exact",
                &conf.telemetry_path, reason);
}

void report_rejected(const MainConf& conf, const Upstream& upstream, ngx_log_t* log) noexcept {
  const std::string_view name = upstream.app->name;
  if (log != nullptr) {
    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "bluegreen: application \"%*s\" in \"%V\" has a damaged %s; %s", name.size(),
                  name.data(), &conf.control_path, problem_of(upstream.route),
                  consequence_of(upstream.route));
  }
}

void report_whole_again(const MainConf& conf, const Upstream& upstream, ngx_log_t* log) noexcept {
  const std::string_view name = upstream.app->name;
  if (log != nullptr) {
    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "bluegreen: application \"%*s\" in \"%V\" is whole again, generation %uL",
                  name.size(), name.data(), &conf.control_path,
                  upstream.route.snapshot().generation);
  }
}

void report_mirror(const Upstream& upstream, ngx_log_t* log) noexcept {
  const std::string_view name = upstream.app->name;
  if (log != nullptr) {
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "bluegreen: application \"%*s\" goes on with what was accepted before this "
                  "start, generation %uL",
                  name.size(), name.data(), upstream.route.snapshot().generation);
  }
}

}  // namespace bluegreen::glue
