// Flips an application (or all of a region) at a steady rate from inside a process: store after
// store, no flush, no lock. With a record of each flip for `loadgen judge`.
//
//   flip_storm FILE --app NAME --rate 1000 --seconds 10 --record FLIPS
//   flip_storm FILE --all --rate 100 --seconds 5
//
// FLIPS has a line a flip, "begin_ns return_ns color": the clock just before the store and just
// after it. stdout gets one JSON object: how many flips, the generation of the first, what rate was
// kept, and how late the latest was against its schedule. With --all each flip is one of every
// application, and the record has the first one's.
//
// Two seeded faults prove that a checker of the record can fail: --late US stores every --every'th
// flip that much later than the record says, --skip never stores it.
//
// One process, run by tests/bench/run; ends by itself. Exit 1 with a line on stderr.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "tests/bench/region_writer.hpp"

namespace {

using namespace bluegreen;
using bench::now_ns;

struct Options {
  std::string file;
  std::string app = "app";
  bool all = false;
  double rate = 1000;
  double seconds = 10;
  std::string record;
  std::uint64_t late_us = 0;
  bool skip = false;
  std::uint64_t every = 50;
};

struct Stamp {
  std::uint64_t begin_ns;
  std::uint64_t return_ns;
  shm::Color color;
};

void sleep_until(std::uint64_t when_ns) {
  const timespec when{static_cast<time_t>(when_ns / 1'000'000'000U),
                      static_cast<long>(when_ns % 1'000'000'000U)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {
  }
}

std::vector<std::uint32_t> indexes(const shm::ControlRegion& region, const Options& options) {
  std::vector<std::uint32_t> found;
  if (options.all) {
    for (std::uint32_t i = 0; i < shm::kMaxApps; ++i) {
      if (shm::app_is_live(region.apps[i], i)) {
        found.push_back(i);
      }
    }
  } else if (const std::uint32_t index = shm::find_app(region, options.app);
             index != shm::kMaxApps) {
    found.push_back(index);
  }
  if (found.empty()) {
    bench::fail("no application " + options.app + " in " + options.file);
  }
  return found;
}

class Storm {
 public:
  Storm(shm::ControlRegion& region, const Options& options)
      : region_(region),
        options_(options),
        apps_(indexes(region, options)),
        count_(static_cast<std::uint64_t>(options.rate * options.seconds)) {
    stamps_.reserve(count_);
  }

  void run() {
    first_generation_ = bench::generation_of(region_, apps_[0]) + 1;
    shm::Color color = bench::route_of(region_, apps_[0]).active;
    began_ns_ = now_ns();
    for (std::uint64_t number = 0; number < count_; ++number) {
      const auto due =
          began_ns_ + static_cast<std::uint64_t>(static_cast<double>(number) * 1e9 / options_.rate);
      sleep_until(due);
      color = shm::other(color);
      one(number, color);
      latest_ns_ = std::max(latest_ns_, stamps_.back().begin_ns - due);
    }
    ended_ns_ = now_ns();
  }

  void write_record() const {
    if (options_.record.empty()) {
      return;
    }
    std::FILE* const file = std::fopen(options_.record.c_str(), "w");
    if (file == nullptr) {
      bench::fail("cannot write " + options_.record);
    }
    for (const Stamp& stamp : stamps_) {
      std::fprintf(file, "%llu %llu %s\n", static_cast<unsigned long long>(stamp.begin_ns),
                   static_cast<unsigned long long>(stamp.return_ns),
                   stamp.color == shm::Color::kBlue ? "blue" : "green");
    }
    if (std::fclose(file) != 0) {
      bench::fail("cannot write " + options_.record);
    }
  }

  void say() const {
    const double seconds = static_cast<double>(ended_ns_ - began_ns_) / 1e9;
    std::printf(
        "{\"flips\":%llu,\"applications\":%zu,\"first_generation\":%llu,\"per_second\":%.1f,"
        "\"latest_us\":%.1f}\n",
        static_cast<unsigned long long>(stamps_.size()), apps_.size(),
        static_cast<unsigned long long>(first_generation_),
        static_cast<double>(stamps_.size()) / seconds, static_cast<double>(latest_ns_) / 1e3);
  }

 private:
  void one(std::uint64_t number, shm::Color color) {
    const bool faulty = (number + 1) % options_.every == 0;
    const bool late = options_.late_us != 0 && faulty;
    const std::uint64_t begin = now_ns();
    if (options_.skip && faulty) {
      number_only();
    } else if (!late) {
      store(color);
    }
    stamps_.push_back({begin, now_ns(), color});
    if (late) {
      sleep_until(now_ns() + options_.late_us * 1000);
      store(color);
    }
  }

  // The flip that is recorded and not stored keeps its number, so that a record's line and a
  // generation go on belonging together.
  void number_only() {
    for (const std::uint32_t index : apps_) {
      region_.apps[index].generation.fetch_add(1);
    }
  }

  void store(shm::Color color) {
    for (const std::uint32_t index : apps_) {
      bench::flip(region_, index, color);
    }
  }

  shm::ControlRegion& region_;
  const Options& options_;
  const std::vector<std::uint32_t> apps_;
  const std::uint64_t count_;
  std::vector<Stamp> stamps_;
  std::uint64_t first_generation_ = 0;
  std::uint64_t began_ns_ = 0;
  std::uint64_t ended_ns_ = 0;
  std::uint64_t latest_ns_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Flips applications of a control region at a steady rate, without a flush."};
  Options options;
  app.add_option("file", options.file, "control region")->required();
  app.add_option("--app", options.app, "application")->capture_default_str();
  app.add_flag("--all", options.all, "every application, at each flip");
  app.add_option("--rate", options.rate, "flips a second")->check(CLI::Range(0.1, 1e6));
  app.add_option("--seconds", options.seconds, "how long")->check(CLI::Range(0.001, 600.0));
  app.add_option("--record", options.record, "file of \"begin_ns return_ns color\"");
  app.add_option("--late", options.late_us, "fault: the store comes this many us after its record");
  app.add_flag("--skip", options.skip, "fault: recorded, never stored");
  app.add_option("--every", options.every, "faults: which flips")->check(CLI::Range(1, 1000000));
  CLI11_PARSE(app, argc, argv);
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  // Woken in time although the load has every core; where that is not allowed it is only later.
  ::setpriority(PRIO_PROCESS, 0, -10);
  shm::Mapping mapping;
  Storm storm(bench::map_region(options.file, O_RDWR, PROT_READ | PROT_WRITE, mapping), options);
  storm.run();
  storm.write_record();
  storm.say();
  return 0;
}
