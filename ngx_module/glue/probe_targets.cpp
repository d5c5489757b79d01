// See probe_targets.hpp.
#include "ngx_module/glue/probe_targets.hpp"

#include <new>

#include "ngx_module/glue/events.hpp"

namespace bluegreen::glue {

struct Target {
  ProbeRun run;  // the first: Ended gets back from it to the target
  Prober* prober = nullptr;
  core::ProbeRecord record;
  shm::Color color = shm::Color::kBlue;
  std::uint32_t place = 0;
  ngx_msec_t began = 0;
  OwnTimer timer{};
};

namespace {

void drop_target(Target& target) noexcept {
  stop_timer(target.timer);
  close_run(target.run);
}

void drop_group(TargetGroup& group) noexcept {
  for (std::uint32_t i = 0; i < group.count; ++i) {
    drop_target(group.targets[i]);
  }
  group.count = 0;
  group.made = false;
}

const App& app_of(const Target& target) noexcept {
  return *target.run.probe->upstream->app;
}

// False: the lease is lost.
bool write_record(Target& target) noexcept {
  shm::AppDetail* const board = app_of(target).board;
  return board != nullptr &&
         shm::write_health(board->health[shm::index_of(target.color)][target.place],
                           target.prober->own.epoch, target.record.detail);
}

void tell_health(const Target& target, shm::Health before) noexcept {
  MainConf& conf = *target.prober->conf;
  const App& app = app_of(target);
  const shm::Health now = target.record.state.health;
  shm::Event event = event_of(shm::EventKind::kHealth);
  event.app = static_cast<std::uint8_t>(app.index);
  event.color = static_cast<std::uint8_t>(shm::index_of(target.color));
  event.before = static_cast<std::uint8_t>(before);
  event.after = static_cast<std::uint8_t>(now);
  shm::set_text(event.endpoint, view(target.run.name));
  shm::set_text(event.text, target.record.detail.last_error);
  note_event(conf, event);

  ngx_str_t name = str(app.name);
  ngx_str_t color = str(shm::name_of(target.color));
  ngx_str_t after = str(shm::name_of(now));
  ngx_str_t was = str(shm::name_of(before));
  ngx_str_t endpoint = target.run.name;
  ngx_log_t* const log = conf.cycle->log;
  if (now == shm::Health::kUnhealthy) {
    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "bluegreen: application \"%V\": %V endpoint %V is %V, was %V: %s", &name, &color,
                  &endpoint, &after, &was, target.record.detail.last_error);
  } else {
    const ngx_uint_t level = now == shm::Health::kDegraded ? NGX_LOG_WARN : NGX_LOG_NOTICE;
    ngx_log_error(level, log, 0,
                  "bluegreen: application \"%V\": %V endpoint %V is %V, was %V: answered in %uDms",
                  &name, &color, &endpoint, &after, &was, target.record.detail.latency_us / 1000);
  }
}

// The time from a probe's start to the next one's start; the probe itself may have used it up.
void schedule(Target& target) noexcept {
  const std::uint64_t interval =
      core::next_interval_ms(target.run.probe->settings.rules, target.record.state,
                             static_cast<std::uint32_t>(ngx_random()));
  const ngx_msec_t used = ngx_current_msec - target.began;
  ngx_add_timer(&target.timer.event, used < interval ? interval - used : 1);
}

void take_verdict(Target& target, const core::ProbeVerdict& verdict) noexcept {
  const shm::Health before = target.record.state.health;
  const bool changed =
      core::note_probe(target.run.probe->settings, verdict, unix_ns(), target.record);
  if (!write_record(target)) {
    drop_targets(*target.prober);
    return;
  }
  if (changed) {
    // Release pairs with the acquire of workers that look whether a health has moved.
    app_of(target).board->health_moves.fetch_add(1, std::memory_order_release);
    tell_health(target, before);
  }
  schedule(target);
}

void end_probe(ProbeRun& run, const core::ProbeVerdict* verdict) noexcept {
  auto& target = reinterpret_cast<Target&>(run);
  Prober& prober = *target.prober;
  stop_timer(target.timer);
  if (!holds_lease(prober)) {
    drop_targets(prober);
    return;
  }
  if (verdict != nullptr) {
    prober.said_cannot = false;
    take_verdict(target, *verdict);
    return;
  }
  if (!prober.said_cannot) {
    ngx_log_error(NGX_LOG_ERR, prober.conf->cycle->log, 0,
                  "bluegreen: cannot open a connection to probe %V; its health stays as it is",
                  &run.name);
  }
  prober.said_cannot = true;
  schedule(target);
}

extern "C" void ngx_http_bluegreen_probe_timer(ngx_event_t* event) {
  auto& target = owner_of<Target>(*event);
  if (target.run.phase != ProbeRun::Phase::kIdle) {
    time_out_run(target.run);
    return;
  }
  if (!holds_lease(*target.prober)) {
    drop_targets(*target.prober);
    return;
  }
  target.began = ngx_current_msec;
  ngx_add_timer(&target.timer.event, target.run.probe->settings.timeout_ms);
  begin_run(target.run);
}

// An endpoint that a predecessor has probed keeps its turn; a new one gets a turn of its own.
std::uint64_t first_delay(const Target& target, std::uint32_t count) noexcept {
  const core::RiseFallRules& rules = target.run.probe->settings.rules;
  const std::uint64_t checked = target.record.detail.checked_unix_ns;
  const std::uint64_t now = unix_ns();
  if (checked == 0 || checked > now) {
    return core::first_delay_ms(rules, target.record.state, target.place, count);
  }
  const std::uint64_t interval =
      core::next_interval_ms(rules, target.record.state, static_cast<std::uint32_t>(ngx_random()));
  const std::uint64_t age = (now - checked) / 1000000;
  return age < interval ? interval - age : target.place * interval / count / 4;
}

// False: the lease is lost.
bool make_target(Prober& prober, TargetGroup& group, const shm::EndpointTable& table,
                 std::uint32_t place) noexcept {
  Target& target = *new (&group.targets[place]) Target();
  const shm::Endpoint& endpoint = table.endpoints[place];
  target.prober = &prober;
  target.color = group.color;
  target.place = place;
  set_up_run(target.run, *group.probe, endpoint, end_probe);
  set_up_timer(target.timer, ngx_http_bluegreen_probe_timer, &target, prober.conf->cycle->log);
  const App& app = app_of(target);
  core::resume_record(app.board->health[shm::index_of(group.color)][place],
                      shm::tag_of(endpoint, table.generation), unix_ns(), target.record);
  if (!write_record(target)) {
    return false;
  }
  ngx_add_timer(&target.timer.event, first_delay(target, table.count));
  return true;
}

bool follow_table(Prober& prober, TargetGroup& group) noexcept {
  Upstream& upstream = *group.probe->upstream;
  const shm::EndpointTable& table = upstream.table(group.color);
  if (upstream.app->board == nullptr ||
      (group.made && group.crc == table.crc && group.generation == table.generation)) {
    return true;
  }
  drop_group(group);
  for (; group.count < table.count; ++group.count) {
    if (!make_target(prober, group, table, group.count)) {
      return false;
    }
  }
  group.crc = table.crc;
  group.generation = table.generation;
  group.made = true;
  return true;
}

}  // namespace

bool follow_tables(Prober& prober) noexcept {
  for (ngx_uint_t i = 0; i < prober.count; ++i) {
    TargetGroup& group = prober.groups[i];
    refresh(*prober.conf, *group.probe->upstream);
    if (!follow_table(prober, group)) {
      return false;
    }
  }
  return true;
}

// Only the worker that has held the lease once needs them.
bool make_groups(Prober& prober) noexcept {
  MainConf& conf = *prober.conf;
  if (prober.groups != nullptr) {
    return true;
  }
  ngx_pool_t* const pool = conf.cycle->pool;
  auto* const groups =
      static_cast<TargetGroup*>(ngx_pcalloc(pool, 2 * conf.apps.nelts * sizeof(TargetGroup)));
  if (groups == nullptr) {
    return false;
  }
  for (ngx_uint_t i = 0; i < conf.apps.nelts; ++i) {
    const Probe* const probe = conf.app_list()[i]->probe;
    for (const shm::Color color : shm::kColors) {
      if (probe == nullptr) {
        continue;
      }
      TargetGroup& group = groups[prober.count];
      group.probe = probe;
      group.color = color;
      group.targets = static_cast<Target*>(
          ngx_pmemalign(pool, shm::kMaxEndpoints * sizeof(Target), alignof(Target)));
      if (group.targets == nullptr) {
        prober.count = 0;
        return false;
      }
      ++prober.count;
    }
  }
  prober.groups = groups;
  return true;
}

void drop_targets(Prober& prober) noexcept {
  for (ngx_uint_t i = 0; i < prober.count; ++i) {
    drop_group(prober.groups[i]);
  }
}

}  // namespace bluegreen::glue
