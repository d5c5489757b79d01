// See stage.hpp: the controller, and a worker's look at the word.
#include "tests/stress/stage.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <catch2/catch.hpp>

namespace bluegreen::stress {

using namespace shm;

namespace {

constexpr std::uint64_t kControlId = 5;

template <typename Region>
void make_file(const std::string& path, const RegionKind& kind, std::uint64_t id) {
  const auto image = sample::make_zeroed<Region>();
  image->header = make_header(kind, id, 1);
  REQUIRE(create_region_file(path.c_str(), image.get(), sizeof(Region), {}) == 0);
}

// A table that says of which color and generation it is, in every endpoint.
EndpointTable marked_table(Color color, std::uint64_t generation) {
  EndpointTable table{};
  table.generation = generation;
  table.count = kMaxEndpoints;
  set_text(table.release, name_of(color));
  for (Endpoint& endpoint : table.endpoints) {
    REQUIRE(parse_endpoint("127.0.0.1:80", endpoint));
    endpoint.weight = 1;
    endpoint.identity = generation;
  }
  table.crc = table_crc(table);
  return table;
}

bool marked_right(const EndpointTable& table, Color color) {
  for (const Endpoint& endpoint : table.endpoints) {
    if (is_published(table) && endpoint.identity != table.generation) {
      return false;
    }
  }
  return !is_published(table) || text_of(table.release) == name_of(color);
}

}  // namespace

struct Stage::View {
  std::uint64_t in_flight = 0;
  std::uint32_t live = 0;
  bool exact = true;
};

Stage::Stage(std::uint32_t workers, Fault fault)
    : workers_(workers), fault_(fault), telemetry_path_(folder_.file("telemetry")) {
  const std::string control = folder_.file("control");
  make_file<ControlRegion>(control, kControlKind, kControlId);
  make_file<TelemetryRegion>(telemetry_path_, kTelemetryKind, 7);
  REQUIRE(open_region(control.c_str(), O_RDWR, kControlKind, control_fd_).result ==
          OpenResult::kOk);
  REQUIRE(open_region(telemetry_path_.c_str(), O_RDWR, kTelemetryKind, telemetry_fd_).result ==
          OpenResult::kOk);
  REQUIRE(control_write_.map(control_fd_.get(), sizeof(ControlRegion), PROT_READ | PROT_WRITE));
  REQUIRE(control_read_.map(control_fd_.get(), sizeof(ControlRegion), PROT_READ));
  REQUIRE(telemetry_.map(telemetry_fd_.get(), sizeof(TelemetryRegion), PROT_READ | PROT_WRITE));
  REQUIRE(add_app(*static_cast<ControlRegion*>(control_write_.data()), "app") == 0);
  void* const page =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  board_ = static_cast<Board*>(page);
}

Stage::~Stage() {
  ::munmap(board_, sizeof(Board));
}

// The reader's steps of control_region.hpp; a busy writer is never waited for.
bool Stage::look(Serving& serving) {
  // Acquire pairs with the seq_cst store in store_route, as a worker's first look does.
  if (serving.control->apps[0].word.load(std::memory_order_acquire) == serving.snapshot.word) {
    return true;
  }
  AppSnapshot fresh;
  for (;;) {
    const ReadResult result = read_app(*serving.control, 0, fresh);
    if (result == ReadResult::kOk) {
      break;
    }
    if (result != ReadResult::kMoving) {
      board_->torn.fetch_add(1);
      return false;
    }
    if (serving.snapshot.word != 0) {
      return true;  // the last good one holds
    }
  }
  if (!marked_right(fresh.tables[0], Color::kBlue) ||
      !marked_right(fresh.tables[1], Color::kGreen)) {
    board_->torn.fetch_add(1);
  }
  serving.snapshot = fresh;
  return true;
}

void Stage::publish(Color color) {
  AppRecord& app = static_cast<ControlRegion*>(control_write_.data())->apps[0];
  const std::size_t c = index_of(color);
  route_.table[c] ^= 1U;
  store_table(marked_table(color, ++generation_), app.tables[c][route_.table[c]]);
  REQUIRE(store_route(app, route_, kControlId, 0, generation_));
}

// Opens the other color, makes it active; then closes the old one.
void Stage::flip() {
  AppRecord& app = static_cast<ControlRegion*>(control_write_.data())->apps[0];
  const Color old = route_.active;
  route_.active = other(old);
  route_.flags = 0;
  REQUIRE(store_route(app, route_, kControlId, 0, ++generation_));
  if (random_() % 4 == 0) {
    ::sched_yield();
  }
  route_.flags = closed_flag(old);
  REQUIRE(store_route(app, route_, kControlId, 0, ++generation_));
}

// As controller/regions/telemetry_file.cpp reads: the lock, the head, the gauge, by pread.
Stage::View Stage::read_gauges(Color color) const {
  View view;
  for (std::uint32_t slot = 0; slot < kMaxCrew + 2; ++slot) {
    if (slot_life(telemetry_fd_.get(), slot) != SlotLife::kLive) {
      continue;
    }
    std::uint32_t owner = 0;
    std::uint64_t attached = 0;
    std::uint64_t gauge = 0;
    const auto at = static_cast<off_t>(slot_offset(slot));
    const auto read = [this](off_t from, auto& to) {
      return ::pread(telemetry_fd_.get(), &to, sizeof(to), from) ==
             static_cast<ssize_t>(sizeof(to));
    };
    REQUIRE(read(at + static_cast<off_t>(offsetof(Slot, pid)), owner));
    REQUIRE(read(at + static_cast<off_t>(offsetof(Slot, attached_control)), attached));
    REQUIRE(
        read(at + static_cast<off_t>(offsetof(Slot, counters) + index_of(color) * sizeof(Counters) +
                                     offsetof(Counters, in_flight)),
             gauge));
    if (fault_ == Fault::kStoppedCountsAsDead && owner == stopped_) {
      continue;
    }
    // One more than it admits: the one that is about to be withdrawn.
    REQUIRE(gauge <= kMostRequests + 1);
    ++view.live;
    view.in_flight += gauge;
    view.exact = view.exact && attached == kControlId;
  }
  view.exact = view.exact && view.live != 0;
  return view;
}

bool Stage::drain(Crew& crew, Color color) {
  const auto give_up = Clock::now() + std::chrono::seconds(20);
  for (int looks = 0;; ++looks) {
    const View view = read_gauges(color);
    if (view.exact && view.in_flight == 0) {
      return true;
    }
    if (stopped_ != kMaxCrew && looks == 20) {
      ++waits_for_stopped_;  // it may be the one that is waited for
      resume(crew);
    }
    if (looks == 5 && random_() % 8 == 0) {
      return false;  // the time is up: nothing is promised
    }
    ::sched_yield();
    REQUIRE(Clock::now() < give_up);
  }
}

void Stage::expect_unused(Color color) {
  for (int look = 0; look < 8; ++look) {
    for (std::uint32_t worker = 0; worker < workers_; ++worker) {
      violations_ += board_->using_color[worker][index_of(color)] != 0 ? 1 : 0;
    }
    if (look == 3 && stopped_ != kMaxCrew && random_() % 2 == 0) {
      return;  // it stays stopped over the next flip
    }
    ::sched_yield();
  }
}

void Stage::resume(Crew& crew) {
  crew.go_on(stopped_);
  stopped_ = kMaxCrew;
}

void Stage::disturb(Crew& crew) {
  if (stopped_ != kMaxCrew && random_() % 4 == 0) {
    resume(crew);
  }
  const auto worker = static_cast<std::uint32_t>(random_() % workers_);
  if (stopped_ == kMaxCrew && random_() % 8 == 0) {
    crew.stop(worker);
    stopped_ = worker;
    ++stops_;
  } else if (random_() % 32 == 0) {
    if (worker == stopped_) {
      stopped_ = kMaxCrew;
    }
    crew.kill(worker);
    ++kills_;
    board_->using_color[worker][0] = 0;
    board_->using_color[worker][1] = 0;
    crew.start(worker);
  }
}

void Stage::run(Crew& crew, Clock::time_point end, bool until_found) {
  for (std::uint32_t worker = 0; worker < workers_; ++worker) {
    crew.start(worker);
  }
  while (Clock::now() < end && !(until_found && violations_ != 0)) {
    disturb(crew);
    if (random_() % 4 == 0) {
      publish(random_() % 2 == 0 ? Color::kBlue : Color::kGreen);
    }
    const Color old = route_.active;
    flip();
    if (drain(crew, old)) {
      ++drains_;
      expect_unused(old);
    }
  }
  if (stopped_ != kMaxCrew) {
    resume(crew);
  }
  for (std::uint32_t worker = 0; worker < workers_; ++worker) {
    crew.kill(worker);
  }
}

std::string Stage::figures() const {
  const auto text = [](const char* name, std::uint64_t value) {
    return std::string(name) + " " + std::to_string(value) + ", ";
  };
  return text("drains", drains_) + text("requests", board_->requests) +
         text("withdrawn", board_->withdrawn) + text("refused", board_->refused) +
         text("kills", kills_) + text("stops", stops_) +
         text("waits for a stopped worker", waits_for_stopped_) + text("torn", board_->torn) +
         text("violations", violations_);
}

}  // namespace bluegreen::stress
