// How long a flip takes to be obeyed: from just before the store of the route word to the moment
// when a worker has admitted a request to the new color.
//
//   flip_latency --flips 100000 --readers 1 --endpoints 1
//
// Readers are processes of their own, each with its own read-only mapping of a real control file, a
// core of its own, and a gauge in shared memory: over and over they do what the request path does,
// by the real core::AcceptedRoute and shm/in_flight.hpp (look, choose, announce, ask whether the
// word still admits, withdraw). The first time that a new generation was admitted a reader stamps
// the clock. The writer stamps before the store, waits until every reader has answered, waits a
// random while, flips again; a flip's latency is the slowest reader's.
//
// On two cores one reader is what can be measured: with more, one shares the writer's core, and the
// figure is the scheduler's. What the kernel did all the same is told apart: flips during which the
// writer or a reader lost its core are counted, and percentiles given with and without them.
//
// stdout gets one JSON object. Ends by itself: a reader ends with the writer. Exit 1 with a line on
// stderr.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "ngx_module/core/accepted_route.hpp"
#include "ngx_module/core/choose.hpp"
#include "tests/bench/region_writer.hpp"

namespace {

using namespace bluegreen;
using bench::now_ns;

constexpr std::size_t kMaxReaders = 8;

// What a reader says, in memory that the writer shares.
struct alignas(128) Report {
  std::atomic<std::uint64_t> generation;  // obeyed last; stored behind the others
  std::uint64_t stamp_ns;                 // when it was first admitted
  long lost_core;                         // involuntary switches of the reader so far
};

// A worker's slot, as far as the protocol needs it: one writer, its own cache lines.
struct alignas(128) Gauges {
  std::atomic<std::uint64_t> in_flight[2];
};

struct Shared {
  Report reports[kMaxReaders];
  Gauges gauges[kMaxReaders];
};

long lost_core() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

void pin(std::size_t number) {
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(number % static_cast<std::size_t>(cores), &set);
  ::sched_setaffinity(0, sizeof(set), &set);  // a container may forbid it: then it is only noisier
}

void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// A worker that does nothing but the module's part of a request, until it is killed.
[[noreturn]] void read_for_ever(const std::string& path, std::uint32_t index, Shared& shared,
                                std::size_t number) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin(number + 1);
  shm::Mapping mapping;
  const shm::ControlRegion& region = bench::map_region(path, O_RDONLY, PROT_READ, mapping);
  core::AcceptedRoute route;
  route.attach(&region, index, false);
  Report& report = shared.reports[number];
  std::uint64_t obeyed = 0;
  for (;;) {
    route.look();
    const core::Choice choice = core::choose(route.snapshot().route, {});
    auto& gauge = shared.gauges[number].in_flight[shm::index_of(choice.color)];
    shm::announce(gauge);
    const bool admitted = choice.found() && route.admits(choice.color, core::Admission::kFirst);
    const std::uint64_t generation = route.snapshot().generation;
    if (admitted && generation != obeyed) {
      report.stamp_ns = now_ns();
      report.lost_core = lost_core();
      obeyed = generation;
      // Release pairs with the writer's acquire in wait_for: the stamp is there before.
      report.generation.store(generation, std::memory_order_release);
    }
    shm::withdraw(gauge);
  }
}

void wait_for(const Report& report, std::uint64_t generation, pid_t reader) {
  std::uint64_t turns = 0;
  // Acquire pairs with the reader's release: its stamp can be read.
  while (report.generation.load(std::memory_order_acquire) != generation) {
    pause_core();
    if (++turns % (1U << 26) == 0 && ::waitpid(reader, nullptr, WNOHANG) != 0) {
      bench::fail("a reader has ended");
    }
  }
}

std::uint32_t make_region(const std::string& path, std::uint32_t endpoints) {
  const auto image = std::make_unique<std::array<char, sizeof(shm::ControlRegion)>>();
  image->fill(0);
  const shm::RegionHeader header = shm::make_header(shm::kControlKind, now_ns() | 1U, now_ns());
  std::memcpy(image->data(), &header, sizeof(header));
  if (const int error =
          shm::create_region_file(path.c_str(), image->data(), image->size(), shm::RegionOwner{});
      error != 0) {
    bench::fail("cannot create " + path + ": " + std::strerror(error));
  }
  shm::Mapping mapping;
  shm::ControlRegion& region = bench::map_region(path, O_RDWR, PROT_READ | PROT_WRITE, mapping);
  const std::uint32_t index = shm::add_app(region, "app");
  shm::EndpointTable table{};
  shm::set_text(table.release, "v1.2.3");
  table.generation = 1;
  for (std::uint32_t i = 0; i < endpoints; ++i) {
    shm::parse_endpoint("127.0.0.1:" + std::to_string(8000 + i), table.endpoints[table.count]);
    table.endpoints[table.count].weight = 1;
    table.endpoints[table.count++].identity = i + 1;
  }
  table.crc = shm::table_crc(table);
  for (const shm::Color color : shm::kColors) {
    shm::store_table(table, region.apps[index].tables[shm::index_of(color)][0]);
  }
  bench::flip(region, index, shm::Color::kBlue);
  return index;
}

struct Latency {
  std::uint64_t ns;
  bool disturbed;
};

std::vector<Latency> measure(shm::ControlRegion& region, std::uint32_t index, Shared& shared,
                             const std::vector<pid_t>& readers, std::uint64_t flips,
                             double seconds) {
  std::vector<Latency> latencies;
  latencies.reserve(flips);
  std::mt19937 random(20260101);
  std::uniform_int_distribution<std::uint64_t> pause(0, 10'000);
  shm::Color color = bench::route_of(region, index).active;
  std::array<long, kMaxReaders + 1> lost{};
  const std::uint64_t last = now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  for (std::uint64_t number = 0; number < flips && now_ns() < last; ++number) {
    for (const std::uint64_t end = now_ns() + pause(random); now_ns() < end;) {
      pause_core();
    }
    color = shm::other(color);
    const std::uint64_t generation = bench::generation_of(region, index) + 1;
    const std::uint64_t begin = now_ns();
    bench::flip(region, index, color);
    Latency latency{0, false};
    for (std::size_t i = 0; i < readers.size(); ++i) {
      const Report& report = shared.reports[i];
      wait_for(report, generation, readers[i]);
      // A clock that differs between cores would show here.
      const std::uint64_t stamp = std::max(report.stamp_ns, begin);
      latency.ns = std::max(latency.ns, stamp - begin);
      latency.disturbed = latency.disturbed || report.lost_core != lost[i];
      lost[i] = report.lost_core;
    }
    const long mine = lost_core();
    latency.disturbed = latency.disturbed || mine != lost[kMaxReaders];
    lost[kMaxReaders] = mine;
    latencies.push_back(latency);
  }
  return latencies;
}

// Microseconds; 0 of nothing.
double percentile(const std::vector<std::uint64_t>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return static_cast<double>(sorted[std::min(rank, sorted.size() - 1)]) / 1e3;
}

void say(const char* name, std::vector<std::uint64_t> ns, const char* behind) {
  std::sort(ns.begin(), ns.end());
  std::printf(
      "\"%s\":{\"flips\":%zu,\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,"
      "\"max_us\":%.3f}%s",
      name, ns.size(), percentile(ns, 0.5), percentile(ns, 0.9), percentile(ns, 0.99),
      percentile(ns, 0.999), percentile(ns, 1), behind);
}

void report(const std::vector<Latency>& latencies, std::size_t readers, std::uint32_t endpoints) {
  std::vector<std::uint64_t> all;
  std::vector<std::uint64_t> undisturbed;
  for (const Latency& latency : latencies) {
    all.push_back(latency.ns);
    if (!latency.disturbed) {
      undisturbed.push_back(latency.ns);
    }
  }
  std::printf("{\"readers\":%zu,\"cores\":%ld,\"endpoints\":%u,\"disturbed\":%zu,", readers,
              ::sysconf(_SC_NPROCESSORS_ONLN), endpoints, all.size() - undisturbed.size());
  say("all", all, ",");
  say("undisturbed", undisturbed, "}\n");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures how long a flip takes to be obeyed by processes that map the region."};
  std::uint64_t flips = 100'000;
  std::size_t count = 1;
  std::uint32_t endpoints = 1;
  double seconds = 120;
  std::string folder = "/tmp";
  app.add_option("--flips", flips, "how many")->check(CLI::Range(1, 100'000'000));
  app.add_option("--readers", count, "processes")->check(CLI::Range(std::size_t{1}, kMaxReaders));
  app.add_option("--seconds", seconds, "no more flips after this")->capture_default_str();
  app.add_option("--endpoints", endpoints, "of each color")->check(CLI::Range(0, 32));
  app.add_option("--folder", folder, "where the control file is made")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const std::string path = folder + "/flip-latency-" + std::to_string(::getpid());
  const std::uint32_t index = make_region(path, endpoints);
  void* const memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    bench::fail("no shared memory");
  }
  auto& shared = *new (memory) Shared{};
  std::vector<pid_t> readers;
  for (std::size_t i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      read_for_ever(path, index, shared, i);
    }
    readers.push_back(pid);
  }
  pin(0);
  shm::Mapping mapping;
  shm::ControlRegion& region = bench::map_region(path, O_RDWR, PROT_READ | PROT_WRITE, mapping);
  for (std::size_t i = 0; i < count; ++i) {
    wait_for(shared.reports[i], bench::generation_of(region, index), readers[i]);
  }
  ::unlink(path.c_str());
  report(measure(region, index, shared, readers, flips, seconds), count, endpoints);
  for (const pid_t reader : readers) {
    ::kill(reader, SIGKILL);
    ::waitpid(reader, nullptr, 0);
  }
  return 0;
}
