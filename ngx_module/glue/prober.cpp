// See prober.hpp.
#include "ngx_module/glue/prober.hpp"

#include <new>

#include "ngx_module/glue/events.hpp"
#include "ngx_module/glue/probe_targets.hpp"

namespace bluegreen::glue {

namespace {

constexpr ngx_msec_t kLook = 100;

std::uint64_t boot_ns() noexcept {
  return shm::clock_ns(CLOCK_BOOTTIME);
}

// The lease is another worker's, or nobody's.
void let_go(Prober& prober) noexcept {
  prober.lease = nullptr;
  drop_targets(prober);
}

void give_back(Prober& prober) noexcept {
  if (holds_lease(prober)) {
    shm::give_back_lease(*prober.lease, prober.own);
  }
  let_go(prober);
}

void try_lease(Prober& prober) noexcept {
  MainConf& conf = *prober.conf;
  shm::TelemetryDetail* const detail = conf.telemetry.detail();
  if (detail == nullptr || !conf.telemetry.exact()) {
    return;
  }
  prober.own.slot = conf.telemetry.slot();
  const auto is_live = [&conf](std::uint32_t slot) { return conf.telemetry.slot_is_live(slot); };
  if (!shm::try_take_lease(detail->header.lease, prober.own, boot_ns(), prober.patience_ns,
                           is_live)) {
    return;
  }
  prober.lease = &detail->header.lease;
  if (!make_groups(prober)) {
    give_back(prober);
    return;
  }
  note_event(conf, event_of(shm::EventKind::kLease));
  ngx_log_error(NGX_LOG_NOTICE, conf.cycle->log, 0, "bluegreen: this worker probes from now on");
}

void look(Prober& prober) noexcept {
  if (ngx_exiting != 0 || ngx_quit != 0 || ngx_terminate != 0) {
    give_back(prober);
    return;
  }
  if (prober.lease == nullptr) {
    try_lease(prober);
  } else if (!holds_lease(prober)) {
    let_go(prober);
  }
  if (prober.lease != nullptr && !follow_tables(prober)) {
    let_go(prober);
  }
}

extern "C" void ngx_http_bluegreen_prober_look(ngx_event_t* event) {
  auto& prober = owner_of<Prober>(*event);
  look(prober);
  if (ngx_exiting == 0) {
    ngx_add_timer(event, kLook);
  }
}

std::uint64_t shortest_interval(const MainConf& conf) noexcept {
  std::uint64_t shortest = 0;
  for (ngx_uint_t i = 0; i < conf.apps.nelts; ++i) {
    const Probe* const probe = conf.app_list()[i]->probe;
    if (probe != nullptr && (shortest == 0 || probe->settings.rules.interval_ms < shortest)) {
      shortest = probe->settings.rules.interval_ms;
    }
  }
  return shortest;
}

}  // namespace

bool holds_lease(Prober& prober) noexcept {
  shm::TelemetryDetail* const detail = prober.conf->telemetry.detail();
  return prober.lease != nullptr && detail != nullptr && prober.lease == &detail->header.lease &&
         prober.own.slot == prober.conf->telemetry.slot() &&
         shm::renew_lease(*prober.lease, prober.own, boot_ns());
}

void start_prober(MainConf& conf) noexcept {
  const std::uint64_t shortest = shortest_interval(conf);
  if (shortest == 0) {
    return;
  }
  void* const memory = ngx_pmemalign(conf.cycle->pool, sizeof(Prober), alignof(Prober));
  if (memory == nullptr) {
    ngx_log_error(NGX_LOG_ALERT, conf.cycle->log, 0, "bluegreen: no memory to probe");
    return;
  }
  auto* const prober = new (memory) Prober();
  conf.prober = prober;
  prober->conf = &conf;
  prober->patience_ns = core::lease_patience_ms(shortest) * 1000000;
  set_up_timer(prober->timer, ngx_http_bluegreen_prober_look, prober, conf.cycle->log);
  ngx_add_timer(&prober->timer.event, 1);
}

void stop_prober(MainConf& conf) noexcept {
  Prober* const prober = conf.prober;
  if (prober == nullptr) {
    return;
  }
  conf.prober = nullptr;
  stop_timer(prober->timer);
  give_back(*prober);
}

}  // namespace bluegreen::glue
