// The module as NGINX sees it: its context, and what happens at the start and end of a cycle and of
// a worker. The table that NGINX looks up by name is generated (modules_table.cpp.in).
//
// init_module: master, once a cycle, also for `nginx -t`, which must not create or change a region.
// init_process: every child; only workers (and a single process) attach. exit_process: the same.
#include <new>

#include "ngx_module/glue/directives.hpp"
#include "ngx_module/glue/gate.hpp"
#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/maintenance.hpp"
#include "ngx_module/glue/preview.hpp"
#include "ngx_module/glue/prober.hpp"
#include "ngx_module/glue/region_guard.hpp"
#include "ngx_module/glue/report.hpp"
#include "ngx_module/glue/upstream.hpp"
#include "ngx_module/glue/variables.hpp"

namespace bluegreen::glue {

namespace {

constexpr ngx_msec_t kTick = 1000;

MainConf* conf_of(ngx_cycle_t* cycle) noexcept {
  if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == nullptr) {
    return nullptr;  // no http block
  }
  auto* const conf =
      static_cast<MainConf*>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_bluegreen_module));
  return conf != nullptr && conf->control_path.data != nullptr ? conf : nullptr;
}

// Master: so that the file is the worker's user's, and every application has its name in it.
void prepare_telemetry(MainConf& conf) noexcept {
  const auto* const core =
      reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(conf.cycle->conf_ctx, ngx_core_module));
  shm::RegionOwner owner;
  owner.mode = 0640;
  if (::geteuid() == 0) {
    owner.uid = static_cast<uid_t>(core->user);
    owner.gid = static_cast<gid_t>(core->group);
  }
  const auto* const path = reinterpret_cast<const char*>(conf.telemetry_path.data);
  const int error = conf.telemetry.prepare(path, conf.app_list(), conf.apps.nelts, owner);
  if (error != 0) {
    report_telemetry(conf, conf.cycle->log, error);
  }
}

// The files of the gate: pages, secrets; and how long its holds last.
void watch(MainConf& conf, ngx_log_t* log) noexcept {
  watch_pages(conf, log);
  watch_previews(conf, log);
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    note_time(*conf.upstream_list()[i], log);
  }
}

void start(MainConf& conf) noexcept {
  if (!install_region_guard()) {
    ngx_log_error(NGX_LOG_ERR, conf.cycle->log, ngx_errno,
                  "bluegreen: sigaction(SIGBUS) failed; a truncated region kills the worker");
  }
  conf.control.guard();
  synchronize(conf, true);
  conf.started = true;
}

extern "C" void ngx_http_bluegreen_tick(ngx_event_t* event) {
  auto& conf = owner_of<MainConf>(*event);
  synchronize(conf, false);
  watch(conf, ngx_worker == 0 ? conf.cycle->log : nullptr);
  ngx_add_timer(event, kTick);
}

}  // namespace

}  // namespace bluegreen::glue

extern "C" {

static ngx_int_t ngx_http_bluegreen_init_module(ngx_cycle_t* cycle) {
  using namespace bluegreen::glue;
  MainConf* const conf = conf_of(cycle);
  if (conf == nullptr) {
    return NGX_OK;
  }
  watch(*conf, cycle->log);
  if (ngx_test_config) {
    return NGX_OK;
  }
  static std::uint64_t cycles = 0;
  conf->cycle = cycle;
  conf->cycles = ++cycles;
  conf->since_unix_ns = static_cast<std::uint64_t>(ngx_time()) * 1000000000U;
  if (conf->telemetry_path.data != nullptr) {
    prepare_telemetry(*conf);
  } else {
    ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                  "bluegreen: no \"bluegreen_telemetry\": a drain cannot be exact");
  }
  conf->control.refresh(reinterpret_cast<const char*>(conf->control_path.data));
  conf->said_control = bluegreen::shm::ControlState::kOk;
  report_control(*conf, cycle->log);
  return NGX_OK;
}

static ngx_int_t ngx_http_bluegreen_init_process(ngx_cycle_t* cycle) {
  using namespace bluegreen::glue;
  MainConf* const conf = conf_of(cycle);
  if (conf == nullptr || (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)) {
    return NGX_OK;
  }
  conf->cycle = cycle;
  start_hold_clock(*conf);
  start(*conf);
  set_up_timer(conf->tick, ngx_http_bluegreen_tick, conf, cycle->log);
  ngx_add_timer(&conf->tick.event, kTick);
  start_prober(*conf);
  return NGX_OK;
}

static void ngx_http_bluegreen_exit_process(ngx_cycle_t* cycle) {
  using namespace bluegreen::glue;
  MainConf* const conf = conf_of(cycle);
  if (conf != nullptr && conf->started) {
    stop_prober(*conf);
    conf->telemetry.leave(conf->app_list(), conf->apps.nelts);
  }
}

static ngx_http_module_t ngx_http_bluegreen_module_ctx = {
    ngx_http_bluegreen_add_variables,     // preconfiguration
    ngx_http_bluegreen_install_gate,      // postconfiguration
    ngx_http_bluegreen_create_main_conf,  // create main configuration
    ngx_http_bluegreen_init_main_conf,    // init main configuration
    ngx_http_bluegreen_create_srv_conf,   // create server configuration
    nullptr,                              // merge server configuration
    ngx_http_bluegreen_create_loc_conf,   // create location configuration
    ngx_http_bluegreen_merge_loc_conf,    // merge location configuration
};

ngx_module_t ngx_http_bluegreen_module = {
    NGX_MODULE_V1,
    &ngx_http_bluegreen_module_ctx,
    ngx_http_bluegreen_commands,
    NGX_HTTP_MODULE,
    nullptr,                          // init master
    ngx_http_bluegreen_init_module,   // init module
    ngx_http_bluegreen_init_process,  // init process
    nullptr,                          // init thread
    nullptr,                          // exit thread
    ngx_http_bluegreen_exit_process,  // exit process
    nullptr,                          // exit master
    NGX_MODULE_V1_PADDING,
};

}  // extern "C"
