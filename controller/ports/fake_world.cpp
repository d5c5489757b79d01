// See fake_world.hpp.
#include "controller/ports/fake_world.hpp"

#include <algorithm>

#include "shm/text_field.hpp"

namespace bluegreen {

namespace {

std::string word(Color color) {
  return std::string(shm::name_of(color));
}

class FakeTracePort : public TracePort {
 public:
  FakeTracePort(FakeWorld& world, std::string id) : world_(world), id_(std::move(id)) {}

  Result<void> append(const JournalRecord& record) override {
    if (world_.trace_full) {
      return fail(ExitCode::kPreflight, "journal: No space left on device");
    }
    return world_.operation(
        "journal", [&] { world_.traces[id_].journal.push_back(record); }, false);
  }
  Result<std::vector<JournalRecord>> records() override { return world_.traces[id_].journal; }
  Result<void> write_verdict(const Verdict& verdict) override {
    return world_.operation("verdict", [&] { world_.traces[id_].verdict = verdict; });
  }
  Result<void> mark_last_image(const std::string& image) override {
    return world_.operation("mark " + image, [&] { world_.last_image = image; });
  }
  Result<void> mark_contract(const ContractMark& mark) override {
    return world_.operation(mark.done ? "mark contract done" : "mark contract",
                            [&] { world_.contract = mark; });
  }
  void keep_log(const std::string& name, const std::string& text) override {
    world_.traces[id_].logs[name] = text;
  }
  std::string folder() const override { return "/trace/app/" + id_; }

 private:
  FakeWorld& world_;
  std::string id_;
};

}  // namespace

FakeWorld::FakeWorld() {
  region.generation = 1;
  for (auto& table : region.tables) {
    table = shm::unpublished_table();
  }
}

void FakeWorld::fail_at(const std::string& operation, Error error) {
  demands_.push_back({operation, std::move(error)});
}

void FakeWorld::crash_at(std::size_t operation, bool after) {
  crash_operation_ = operations + operation;
  crash_after_ = after;
}

Result<void> FakeWorld::operation(const std::string& name, const std::function<void()>& effect,
                                  bool logged) {
  const std::size_t number = operations++;
  if (before_operation) {
    before_operation(name);
  }
  if (crash_operation_ == number && !crash_after_) {
    crash_operation_.reset();
    throw Crash{};
  }
  const auto demand = std::find_if(demands_.begin(), demands_.end(), [&](const Demand& d) {
    return name.compare(0, d.prefix.size(), d.prefix) == 0;
  });
  if (demand != demands_.end()) {
    const Error error = demand->error;
    demands_.erase(demand);
    return tl::unexpected(error);
  }
  effect();
  if (logged) {
    log.push_back(name);
  }
  look_at_users();
  if (crash_operation_ == number && crash_after_) {
    crash_operation_.reset();
    throw Crash{};
  }
  return {};
}

// What a user's request would meet now.
void FakeWorld::look_at_users() {
  const Color active = region.route.active;
  const auto& behind = running[shm::index_of(active)];
  const auto& table = region.tables[shm::index_of(active)];
  const bool works = behind && behind->health == Health::kHealthy && table.count == 1 &&
                     table.endpoints[0].identity == behind->identity;
  if (works) {
    served_ = true;
  } else if (served_ && broken.empty()) {
    broken = "users met an error on " + word(active) + (log.empty() ? "" : " at " + log.back());
  }
  if (region.route.closed(active) && broken.empty()) {
    broken = "the active color was closed";
  }
}

void FakeWorld::serve(Color color, const std::string& image) {
  (void)start(color, {image, image});
  (void)publish("app", color, {image, image, "by-hand", *endpoints(color)});
  (void)activate("app", color);
  log.clear();
}

std::string FakeWorld::serving() const {
  const auto& behind = running[shm::index_of(region.route.active)];
  return (behind ? behind->image : "nothing") + " on " + word(region.route.active);
}

std::uint64_t FakeWorld::next_generation() {
  region.route.generation = static_cast<std::uint32_t>(++region.generation & shm::kGenerationMask);
  return region.generation;
}

Result<shm::AppSnapshot> FakeWorld::read(const std::string& app) {
  if (region_damaged) {
    return fail(ExitCode::kUsage, "control: damaged route of " + app);
  }
  return region;
}

Result<std::uint64_t> FakeWorld::publish(const std::string&, Color color,
                                         const Publication& publication) {
  auto done = operation("publish " + word(color) + " " + publication.release +
                            (publication.endpoints.empty() ? " empty" : ""),
                        [&] {
                          shm::EndpointTable table = shm::unpublished_table();
                          shm::set_text(table.release, publication.release);
                          shm::set_text(table.image, publication.image);
                          shm::set_text(table.deploy_id, publication.deploy_id);
                          table.count = static_cast<std::uint32_t>(publication.endpoints.size());
                          std::copy(publication.endpoints.begin(), publication.endpoints.end(),
                                    table.endpoints);
                          table.generation = next_generation();
                          region.tables[shm::index_of(color)] = table;
                          region.route.flags &= static_cast<std::uint8_t>(~shm::closed_flag(color));
                        });
  return done ? Result<std::uint64_t>(region.generation) : tl::unexpected(done.error());
}

Result<std::uint64_t> FakeWorld::change(const std::string&, const std::string& what,
                                        const RouteEdit& edit) {
  RouteState state = state_of(region);
  if (auto edited = edit(state); !edited) {
    return tl::unexpected(edited.error());
  }
  if (is_as_stored(region, state)) {
    return region.generation;
  }
  auto done = operation(what, [&] {
    region.route = state.route;
    region.hold = state.route.has(shm::kHold) ? state.hold : shm::HoldTicket{};
    next_generation();
  });
  return done ? Result<std::uint64_t>(region.generation) : tl::unexpected(done.error());
}

std::uint64_t FakeWorld::boottime_ns() const {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
}

Result<shm::HoldTicket> FakeWorld::ticket(std::chrono::milliseconds length) {
  const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(length).count());
  return shm::make_ticket(boottime_ns() + ns, shm::BootId{});
}

std::chrono::nanoseconds FakeWorld::left_of(const shm::HoldTicket& ticket) {
  return std::chrono::nanoseconds(shm::ticket_left_ns(ticket, shm::BootId{}, boottime_ns()));
}

Result<DrainView> FakeWorld::drain_view(const std::string&, Color color, std::uint64_t) {
  if (!nginx_runs) {
    return DrainView{false, "telemetry: no such file", 0, 0};
  }
  std::uint64_t& on_it = in_flight[shm::index_of(color)];
  const DrainView view{telemetry_exact, telemetry_exact ? "" : "a worker has no slot", on_it, 2};
  if (on_it > 0 && leaves_after_looks > 0 && --leaves_after_looks == 0) {
    on_it = 0;
  }
  if (after_look) {
    after_look(color);
  }
  return view;
}

Attachment FakeWorld::attachment(std::uint64_t) {
  if (!nginx_runs) {
    return {};
  }
  const bool attached = attach_after_looks == 0;
  attach_after_looks -= attached ? 0 : 1;
  return {2, attached ? 2U : 0U};
}

ProbeView FakeWorld::probes(const std::string&, Color color, const shm::EndpointTable& table) {
  ProbeView view;
  view.reason = "this NGINX keeps no health";
  view.endpoints.resize(table.count);
  return probes_say ? probes_say(color, table) : view;
}

Result<ColorFigures> FakeWorld::figures(const std::string&, Color color) {
  ColorFigures known;
  known.in_flight = in_flight[shm::index_of(color)];
  return known;
}

Result<TrafficFigures> FakeWorld::traffic(const std::string&, Color color) {
  if (!nginx_runs) {
    return fail(ExitCode::kUsage, "telemetry: no such file");
  }
  return traffic_says ? traffic_says(color) : TrafficFigures{};
}

Result<void> FakeWorld::preflight(Color) {
  return operation("preflight", [] {});
}

Result<PinnedImage> FakeWorld::pull(const std::string& image, const Progress& progress) {
  if (image == "missing") {
    return fail(ExitCode::kPull, "missing: manifest unknown");
  }
  auto done = operation("pull " + image, [&] { progress("layer 1 of 1", {}); });
  return done ? Result<PinnedImage>(PinnedImage{image, image}) : tl::unexpected(done.error());
}

Result<std::string> FakeWorld::find(const std::string& image) {
  return image == "missing" ? fail(ExitCode::kPull, "missing: manifest unknown")
                            : Result<std::string>(image + " is here");
}

void FakeWorld::take_away(Color color, const std::string& how) {
  auto& was = running[shm::index_of(color)];
  if (was && in_flight[shm::index_of(color)] > 0 && broken.empty()) {
    broken = how + " of " + word(color) + " cut requests";
  }
  was.reset();
}

Result<void> FakeWorld::start(Color color, const PinnedImage& image) {
  return operation("start " + word(color) + " " + image.pinned, [&] {
    const std::size_t c = shm::index_of(color);
    take_away(color, "start");
    if (!env_before_[c]) {
      env_before_[c] = env_image[c];  // a start that is repeated keeps the first one's memory
    }
    env_image[c] = image.pinned;
    running[c] = Running{image.pinned, ++next_identity_,
                         image.pinned == "sick" ? Health::kStarting : Health::kHealthy};
    if (image.pinned == "exits") {
      running[c].reset();
    }
  });
}

Result<void> FakeWorld::wait_healthy(Color color, Deadline deadline) {
  auto done = operation("healthy " + word(color), [] {});
  if (!done) {
    return done;
  }
  const auto& it = running[shm::index_of(color)];
  if (!it) {
    return tl::unexpected(
        Error{ExitCode::kNotHealthy, word(color) + " has exited with 1", {}, "boom\n"});
  }
  if (it->health != Health::kHealthy) {
    time = deadline;
    return fail(ExitCode::kNotHealthy, word(color) + " was not healthy in time");
  }
  return {};
}

Result<std::vector<Instance>> FakeWorld::observe(Color color) {
  std::vector<Instance> instances;
  if (const auto& it = running[shm::index_of(color)]) {
    instances.push_back({word(color) + "-1", it->identity, it->image, it->health});
  }
  return instances;
}

Result<std::vector<shm::Endpoint>> FakeWorld::endpoints(Color color) {
  std::vector<shm::Endpoint> list;
  if (const auto& it = running[shm::index_of(color)]) {
    shm::Endpoint endpoint{};
    shm::parse_endpoint(color == Color::kBlue ? "127.0.0.1:8101" : "127.0.0.1:8102", endpoint);
    endpoint.identity = it->identity;
    list.push_back(endpoint);
  }
  return list;
}

Result<void> FakeWorld::stop(Color color) {
  return operation("stop " + word(color), [&] { take_away(color, "stop"); });
}

Result<void> FakeWorld::remove(Color color) {
  return operation("remove " + word(color), [&] {
    take_away(color, "remove");
    auto& before = env_before_[shm::index_of(color)];
    if (before) {
      env_image[shm::index_of(color)] = *before;
      before.reset();
    }
  });
}

Result<void> FakeWorld::settle() {
  env_before_[0].reset();
  env_before_[1].reset();
  return {};
}

std::string FakeWorld::log_tail(Color color, std::size_t) {
  return "log of " + word(color) + "\n";
}

std::chrono::system_clock::time_point FakeWorld::wall() {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(time.time_since_epoch() +
                                                                      wall_is_off));
}

BootTime FakeWorld::boot() {
  return {boot_name,
          std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch())};
}

bool FakeWorld::wait(std::chrono::milliseconds duration) {
  if (stop_asked) {
    return false;
  }
  pause(duration);
  return true;
}

void FakeWorld::pause(std::chrono::milliseconds duration) {
  time += duration;
}

Result<std::vector<TraceSummary>> FakeWorld::list(const std::string&) {
  std::vector<TraceSummary> summaries;
  for (auto it = trace_order.rbegin(); it != trace_order.rend(); ++it) {
    summaries.push_back({*it, {}, {}, "deploy", "", "", "", traces[*it].verdict, false});
  }
  return summaries;
}

Result<std::unique_ptr<TracePort>> FakeWorld::open(const std::string&, const std::string& id) {
  if (std::find(trace_order.begin(), trace_order.end(), id) == trace_order.end()) {
    trace_order.push_back(id);
  }
  return std::unique_ptr<TracePort>(std::make_unique<FakeTracePort>(*this, id));
}

}  // namespace bluegreen
