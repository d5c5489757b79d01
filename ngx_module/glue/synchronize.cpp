// What a worker does at its start and once a second, and when a request finds that the word moved:
// keep up with the two files. Never fails; what is wrong is said once, by worker 0, and shown by
// the status endpoint. See upstream.hpp.
#include "ngx_module/glue/events.hpp"
#include "ngx_module/glue/hold.hpp"
#include "ngx_module/glue/peers.hpp"
#include "ngx_module/glue/report.hpp"
#include "ngx_module/glue/settle.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

namespace {

// One of several workers speaks; each sees the same file.
ngx_log_t* speaker(const MainConf& conf) noexcept {
  return ngx_worker == 0 ? conf.cycle->log : nullptr;
}

void take_mirror(MainConf& conf, Upstream& upstream) noexcept {
  const shm::MirrorCopy* const copy = conf.telemetry.mirrored(upstream.app->index);
  if (copy != nullptr && upstream.route.accept_mirror(*copy)) {
    prepare_peers(upstream);
    note_outlook(upstream);
    note_route(conf, upstream, speaker(conf));
    report_mirror(upstream, speaker(conf));
  }
}

void store_mirror(MainConf& conf, Upstream& upstream) noexcept {
  const shm::AppSnapshot& snapshot = upstream.route.snapshot();
  if (upstream.route.basis() != core::Basis::kRegion || upstream.route.rejected() ||
      upstream.mirrored_word == snapshot.word) {
    return;
  }
  shm::MirrorCopy copy{};
  copy.control_index = upstream.route.index();
  copy.control_id = conf.control.id();
  copy.word = snapshot.word;
  copy.generation = snapshot.generation;
  copy.tables[0] = snapshot.tables[0];
  copy.tables[1] = snapshot.tables[1];
  if (conf.telemetry.mirror(upstream.app->index, copy)) {
    upstream.mirrored_word = snapshot.word;
  }
}

void attach_upstream(MainConf& conf, Upstream& upstream, bool changed, bool starting) noexcept {
  const shm::ControlRegion* const region = conf.control.region();
  const bool damaged = conf.control.state() == shm::ControlState::kDamaged;
  const std::uint32_t index =
      region != nullptr ? shm::find_app(*region, upstream.app->name) : shm::kMaxApps;
  // A name that cannot be found any more is damage: the word that is known goes on being judged.
  if (changed || (index != shm::kMaxApps && index != upstream.route.index()) ||
      (region == nullptr && !upstream.route.accepted())) {
    upstream.route.attach(region, index, damaged);
  }
  upstream.route.judge_again();
  refresh(conf, upstream);
  const bool unheard = conf.control.state() != shm::ControlState::kOk || upstream.route.rejected();
  if (starting && unheard) {
    take_mirror(conf, upstream);
  }
  if (starting && !upstream.route.accepted()) {
    prepare_peers(upstream);
  }
  follow_health(upstream);  // the telemetry file may be another one
}

}  // namespace

void refresh_slowly(MainConf& conf, Upstream& upstream, core::Look look) noexcept {
  if (look == core::Look::kAccepted) {
    // A flip alone costs no more than the look: what is known of each endpoint stays.
    if (upstream.route.tables_moved()) {
      prepare_peers(upstream);
    }
    note_outlook(upstream);
    note_route(conf, upstream, speaker(conf));
    tell_route(conf, upstream);
    if (upstream.said_rejected) {
      report_whole_again(conf, upstream, speaker(conf));
    }
    upstream.said_rejected = false;
    return;
  }
  conf.telemetry.say_attached(0, shm::ControlState::kDamaged);
  note_outlook(upstream);
  if (!upstream.said_rejected) {
    report_rejected(conf, upstream, speaker(conf));
  }
  upstream.said_rejected = true;
}

// An application that the region did not know when this worker looked may have been added since:
// until the first `bgctl init` of an application, each request asks.
bool resolve_app(MainConf& conf, Upstream& upstream) noexcept {
  const shm::ControlRegion* const region = conf.control.region();
  if (region == nullptr || upstream.route.index() != shm::kMaxApps) {
    return false;
  }
  const std::uint32_t index = shm::find_app(*region, upstream.app->name);
  if (index == shm::kMaxApps) {
    return false;
  }
  upstream.route.attach(region, index, false);
  refresh(conf, upstream);
  note_outlook(upstream);
  return true;
}

void synchronize(MainConf& conf, bool starting) noexcept {
  if (conf.telemetry_path.len != 0) {
    const bool was_bad = !starting && conf.telemetry.state() != TelemetryState::kOk;
    const bool moved = conf.telemetry.attach(
        reinterpret_cast<const char*>(conf.telemetry_path.data), conf.app_list(), conf.apps.nelts);
    if (moved) {
      conf.telemetry.say_cycle(conf.cycles);
      for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
        conf.upstream_list()[i]->mirrored_word = 0;
      }
    }
    if ((was_bad || (moved && !starting)) && conf.telemetry.exact() && ngx_worker == 0) {
      tell_telemetry_healed(conf);
    }
    report_telemetry(conf, speaker(conf), 0);
  }
  const bool changed =
      conf.control.refresh(reinterpret_cast<const char*>(conf.control_path.data)) || starting;
  report_control(conf, speaker(conf));
  bool obeys = conf.control.state() == shm::ControlState::kOk && !conf.control.lost();
  for (ngx_uint_t i = 0; i < conf.upstreams.nelts; ++i) {
    Upstream& upstream = *conf.upstream_list()[i];
    attach_upstream(conf, upstream, changed, starting);
    store_mirror(conf, upstream);
    tell_route(conf, upstream);
    obeys = obeys && !upstream.route.rejected();
  }
  const bool damaged = conf.control.state() == shm::ControlState::kOk && !obeys;
  tell_control(conf, damaged ? shm::ControlState::kDamaged : conf.control.state());
  conf.telemetry.say_attached(obeys ? conf.control.id() : 0,
                              damaged ? shm::ControlState::kDamaged : conf.control.state());
}

}  // namespace bluegreen::glue
