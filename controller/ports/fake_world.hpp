// A whole world in memory, for unit tests of what is behind the ports: control region, telemetry,
// runtime, clock and traces that behave, and that fail or die on demand.
//
// Every call that could change something, and every journal record, is one numbered operation with
// a name such as "start green v2". `fail_at` makes the first operation that begins with a text
// return an error; `crash_at` throws Crash before or after the n-th operation, as a kill -9 would:
// what was done stays done, the caller is gone. Afterwards the same world is used by a new driver.
//
// While it runs it watches what users would see: `broken` is not empty when the active color, once
// it had served, had nothing running behind its endpoints, or requests were cut.
//
// Time stands still but for waits, which pass at once. Single-threaded.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/ports/clock.hpp"
#include "controller/ports/hooks.hpp"
#include "controller/ports/orders.hpp"
#include "controller/ports/regions.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/smoke.hpp"
#include "controller/ports/trace.hpp"

namespace bluegreen {

struct Crash {};

struct FakeTrace {
  std::vector<JournalRecord> journal;
  std::optional<Verdict> verdict;
  std::map<std::string, std::string> logs;
};

class FakeWorld : public ControlPort,
                  public TelemetryPort,
                  public Runtime,
                  public Clock,
                  public HookPort,
                  public TraceStore,
                  public SmokePort,
                  public OrdersPort,
                  public EventSink {
 public:
  FakeWorld();

  // Demands.
  void fail_at(const std::string& operation, Error error);
  void crash_at(std::size_t operation, bool after);
  std::function<void(const std::string& operation)> before_operation;
  std::size_t operations = 0;
  std::vector<std::string> log;  // the operations so far, journal records left out

  // What is in the world.
  shm::AppSnapshot region;
  bool region_damaged = false;
  struct Running {
    std::string image;
    std::uint64_t identity = 0;
    Health health = Health::kHealthy;
  };
  std::optional<Running> running[2];
  std::string env_image[2];  // what `start` wrote into the environment file
  std::uint64_t in_flight[2] = {0, 0};
  std::function<void(Color looked_at)> after_look;  // at a drain
  std::uint64_t leaves_after_looks = 0;  // in_flight falls to 0 after so many drain looks; 0: never
  bool telemetry_exact = true;
  bool nginx_runs = true;
  // What NGINX's probes say; without it nobody probes.
  std::function<ProbeView(Color, const shm::EndpointTable&)> probes_say;
  // What users do and meet, by now; without it nobody comes.
  std::function<TrafficFigures(Color)> traffic_says;
  std::uint32_t attach_after_looks = 0;  // so many times, none of the workers has attached yet
  bool trace_full = false;
  bool stop_asked = false;
  // What a smoke check gets; without it, 200 and "ok" from the idle color.
  std::function<Result<SmokeAnswer>(const SmokeRequest&)> smoke_says;
  std::string secret_trouble;              // why the preview's secret cannot be had
  std::size_t promote_after_looks = 0;     // 0: nobody promotes
  std::function<void()> after_order_look;  // at a promote
  std::string broken;
  std::string last_image;
  std::optional<ContractMark> contract;
  std::map<std::string, FakeTrace> traces;
  std::vector<std::string> trace_order;
  std::vector<Event> events;
  std::vector<HookRun> hook_runs;
  std::size_t orphans_looked_for = 0;
  std::optional<std::string> one_off_left;  // the container of a run_once that was killed
  std::chrono::steady_clock::time_point time{std::chrono::hours(1)};
  std::chrono::milliseconds wall_is_off{0};  // somebody has set the clock
  std::string boot_name = "this boot";

  // "v1 on blue" without a deploy.
  void serve(Color color, const std::string& image);
  std::string serving() const;  // "v1 on blue", by what runs behind the active color

  // ControlPort
  Result<shm::AppSnapshot> read(const std::string& app) override;
  Result<std::uint64_t> publish(const std::string& app, Color color,
                                const Publication& publication) override;
  Result<std::uint64_t> change(const std::string& app, const std::string& what,
                               const RouteEdit& edit) override;
  Result<shm::HoldTicket> ticket(std::chrono::milliseconds length) override;
  std::chrono::nanoseconds left_of(const shm::HoldTicket& ticket) override;
  // TelemetryPort
  Result<DrainView> drain_view(const std::string& app, Color color,
                               std::uint64_t control_id) override;
  Attachment attachment(std::uint64_t control_id) override;
  Result<ColorFigures> figures(const std::string& app, Color color) override;
  Result<TrafficFigures> traffic(const std::string& app, Color color) override;
  ProbeView probes(const std::string& app, Color color, const shm::EndpointTable& table) override;
  // Runtime. Images: "missing" is not in the registry, "sick" never gets healthy, "exits" dies.
  Result<void> preflight(Color idle) override;
  Result<PinnedImage> pull(const std::string& image, const Progress& progress) override;
  Result<std::string> find(const std::string& image) override;
  Result<void> start(Color color, const PinnedImage& image) override;
  Result<void> wait_healthy(Color color, Deadline deadline) override;
  Result<std::vector<Instance>> observe(Color color) override;
  Result<std::vector<shm::Endpoint>> endpoints(Color color) override;
  Result<void> stop(Color color) override;
  Result<void> remove(Color color) override;
  std::string log_tail(Color color, std::size_t lines) override;
  Result<void> settle() override;
  Result<void> run_once(const OneOff& one_off) override;
  Result<void> remove_once(const OneOff& one_off) override;
  // HookPort. Operations such as "hook /x/migrate".
  Result<void> run(const HookRun& hook) override;
  Result<void> end_orphan() override;
  // Clock
  std::chrono::steady_clock::time_point now() override { return time; }
  std::chrono::system_clock::time_point wall() override;
  BootTime boot() override;
  bool wait(std::chrono::milliseconds duration) override;
  void pause(std::chrono::milliseconds duration) override;
  bool stop_requested() override { return stop_asked; }
  // TraceStore
  Result<std::vector<TraceSummary>> list(const std::string& app) override;
  Result<std::unique_ptr<TracePort>> open(const std::string& app, const std::string& id) override;
  Result<std::optional<ContractMark>> contract_mark(const std::string&) override {
    return contract;
  }
  // SmokePort
  Result<void> ready() override;
  Result<SmokeAnswer> ask(const SmokeRequest& request) override;
  // OrdersPort
  bool take_promote() override;
  // EventSink
  void emit(const Event& event) override { events.push_back(event); }

  // One operation: `effect` happens unless a demand says otherwise. Also used by the traces.
  Result<void> operation(const std::string& name, const std::function<void()>& effect,
                         bool logged = true);

 private:
  struct Demand {
    std::string prefix;
    Error error;
  };
  void look_at_users();
  std::uint64_t boottime_ns() const;
  std::uint64_t next_generation();
  void take_away(Color color, const std::string& how);

  std::vector<Demand> demands_;
  std::optional<std::size_t> crash_operation_;
  bool crash_after_ = false;
  bool served_ = false;
  std::uint64_t next_identity_ = 100;
  std::optional<std::string> env_before_[2];
};

}  // namespace bluegreen
