// What a worker obeys, in each state of the control region: see accepted_route.hpp.
#include "ngx_module/core/accepted_route.hpp"

#include <catch2/catch.hpp>
#include <memory>

using namespace bluegreen;
using core::Admission;
using core::Basis;
using core::Look;

namespace {

struct Stage {
  std::unique_ptr<shm::ControlRegion> region = std::make_unique<shm::ControlRegion>();
  std::uint32_t app = 0;
  core::AcceptedRoute route;

  Stage() {
    region->header = shm::make_header(shm::kControlKind, 42, 1);
    shm::add_app(*region, "first");
    app = shm::add_app(*region, "app");
  }
  void store(shm::Color active, std::uint8_t flags, std::uint64_t generation) {
    shm::Route stored;
    stored.active = active;
    stored.flags = flags;
    shm::store_route(region->apps[app], stored, 42, app, generation);
  }
  void spoil_tables() {
    for (auto& color : region->apps[app].tables) {
      color[0].release[0] ^= 1;
      color[1].release[0] ^= 1;
    }
  }
};

}  // namespace

TEST_CASE("Route without a region is the defaults, and damage is nothing") {
  core::AcceptedRoute route;
  CHECK(route.look() == Look::kUnchanged);
  CHECK(route.basis() == Basis::kDefaults);
  CHECK(route.admits(shm::Color::kBlue, Admission::kAgain));
  route.attach(nullptr, shm::kMaxApps, true);
  CHECK(route.basis() == Basis::kNothing);
  route.attach(nullptr, shm::kMaxApps, false);
  CHECK(route.basis() == Basis::kDefaults);
}

TEST_CASE("Route of an application that the region does not know is the defaults") {
  Stage stage;
  stage.route.attach(stage.region.get(), shm::kMaxApps, false);
  CHECK(stage.route.look() == Look::kUnchanged);
  CHECK(stage.route.basis() == Basis::kDefaults);
}

TEST_CASE("Route is copied when the word has moved, and only then") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK(stage.route.basis() == Basis::kRegion);
  CHECK(stage.route.snapshot().generation == 1);
  CHECK(stage.route.look() == Look::kUnchanged);
  stage.store(shm::Color::kGreen, 0, 2);
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK(stage.route.snapshot().route.active == shm::Color::kGreen);
}

TEST_CASE("Damaged word is judged once and leaves the last accepted route") {
  Stage stage;
  stage.store(shm::Color::kGreen, 0, 2);
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  stage.region->apps[stage.app].word ^= 0x10;
  CHECK(stage.route.look() == Look::kRejected);
  CHECK(stage.route.look() == Look::kUnchanged);
  CHECK(stage.route.problem() == shm::ReadResult::kBadWord);
  CHECK(stage.route.snapshot().route.active == shm::Color::kGreen);
  CHECK(stage.route.admits(shm::Color::kGreen, Admission::kAgain));
  stage.region->apps[stage.app].word ^= 0x10;
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK_FALSE(stage.route.rejected());
}

TEST_CASE("Damaged word before anything was accepted is nothing") {
  Stage stage;
  stage.region->apps[stage.app].word = 0;
  stage.route.attach(stage.region.get(), stage.app, false);
  CHECK(stage.route.look() == Look::kRejected);
  CHECK(stage.route.basis() == Basis::kNothing);
}

TEST_CASE("Damaged table is found again when it was repaired in place") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.spoil_tables();
  CHECK(stage.route.look() == Look::kRejected);
  CHECK(stage.route.problem() == shm::ReadResult::kBadTable);
  stage.spoil_tables();
  CHECK(stage.route.look() == Look::kUnchanged);
  stage.route.judge_again();
  CHECK(stage.route.look() == Look::kAccepted);
}

TEST_CASE("Word of another application or region is foreign") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  stage.region->apps[stage.app].word = stage.region->apps[0].word.load();
  CHECK(stage.route.look() == Look::kRejected);
}

TEST_CASE("Flip moves no table, a publish does, and a repaired one is the one that was known") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK(stage.route.tables_moved());
  stage.store(shm::Color::kGreen, 0, 2);
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK_FALSE(stage.route.tables_moved());
  shm::EndpointTable& table = stage.region->apps[stage.app].tables[0][0];
  shm::EndpointTable other = table;
  table.image[0] ^= 1;
  stage.store(shm::Color::kBlue, 0, 3);
  CHECK(stage.route.look() == Look::kRejected);
  CHECK(stage.route.problem() == shm::ReadResult::kBadTable);
  table.image[0] ^= 1;
  stage.route.judge_again();
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK_FALSE(stage.route.tables_moved());
  shm::set_text(other.release, "another");
  other.crc = shm::table_crc(other);
  shm::store_table(other, table);
  stage.store(shm::Color::kGreen, 0, 4);
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK(stage.route.tables_moved());
}

TEST_CASE("Second look admits a color until a valid word closes it") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  CHECK(stage.route.admits(shm::Color::kBlue, Admission::kAgain));
  stage.store(shm::Color::kGreen, 0, 2);
  CHECK(stage.route.admits(shm::Color::kBlue, Admission::kAgain));
  stage.store(shm::Color::kGreen, shm::kClosedBlue, 3);
  CHECK_FALSE(stage.route.admits(shm::Color::kBlue, Admission::kAgain));
  CHECK(stage.route.admits(shm::Color::kGreen, Admission::kAgain));
}

TEST_CASE("Second look heeds a word that closes although its tables are damaged") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  stage.spoil_tables();
  stage.store(shm::Color::kGreen, shm::kClosedBlue, 2);
  CHECK(stage.route.look() == Look::kRejected);
  CHECK(stage.route.snapshot().route.active == shm::Color::kBlue);
  CHECK_FALSE(stage.route.admits(shm::Color::kBlue, Admission::kAgain));
}

TEST_CASE("Second look lets no first try go on once a newer word holds or maintains") {
  const unsigned flag = GENERATE(0U + shm::kHold, 0U + shm::kMaintenance);
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  CHECK(stage.route.admits(shm::Color::kBlue, Admission::kFirst));
  stage.store(shm::Color::kBlue, static_cast<std::uint8_t>(flag), 2);
  CHECK_FALSE(stage.route.admits(shm::Color::kBlue, Admission::kFirst));
  CHECK_FALSE(stage.route.admits(shm::Color::kGreen, Admission::kFirst));
  CHECK(stage.route.admits(shm::Color::kBlue, Admission::kAgain));
  CHECK(stage.route.admits(shm::Color::kGreen, Admission::kPreview));
  // Accepted, it is the caller who asks whether the hold counts.
  CHECK(stage.route.look() == Look::kAccepted);
  CHECK(stage.route.admits(shm::Color::kBlue, Admission::kFirst));
}

TEST_CASE("Second look ignores the hold of a word whose tables were found damaged") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  stage.spoil_tables();
  stage.store(shm::Color::kBlue, shm::kHold, 2);
  CHECK_FALSE(stage.route.admits(shm::Color::kBlue, Admission::kFirst));
  CHECK(stage.route.look() == Look::kRejected);
  CHECK(stage.route.admits(shm::Color::kBlue, Admission::kFirst));
  stage.store(shm::Color::kBlue, shm::kHold, 3);
  CHECK_FALSE(stage.route.admits(shm::Color::kBlue, Admission::kFirst));
}

TEST_CASE("Second look lets no preview go on where its color has become the active one") {
  Stage stage;
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  CHECK(stage.route.admits(shm::Color::kGreen, Admission::kPreview));
  stage.store(shm::Color::kGreen, 0, 2);
  CHECK_FALSE(stage.route.admits(shm::Color::kGreen, Admission::kPreview));
  CHECK(stage.route.admits(shm::Color::kGreen, Admission::kFirst));
}

TEST_CASE(
    "Mirror counts before anything was accepted, when it is whole, and yields to the region") {
  Stage stage;
  stage.store(shm::Color::kGreen, 0, 9);
  auto copy = std::make_unique<shm::MirrorCopy>();
  copy->control_id = 42;
  copy->control_index = stage.app;
  copy->word = stage.region->apps[stage.app].word;
  copy->generation = 9;
  copy->tables[0] = copy->tables[1] = shm::unpublished_table();

  core::AcceptedRoute route;
  route.attach(nullptr, shm::kMaxApps, true);
  copy->tables[1].count = 1;
  CHECK_FALSE(route.accept_mirror(*copy));
  copy->tables[1].count = 0;
  copy->control_index = 0;
  CHECK_FALSE(route.accept_mirror(*copy));
  copy->control_index = stage.app;
  CHECK(route.accept_mirror(*copy));
  CHECK(route.basis() == Basis::kMirror);
  CHECK(route.snapshot().route.active == shm::Color::kGreen);
  CHECK_FALSE(route.accept_mirror(*copy));

  stage.store(shm::Color::kBlue, 0, 10);
  route.attach(stage.region.get(), stage.app, false);
  CHECK(route.look() == Look::kAccepted);
  CHECK(route.basis() == Basis::kRegion);
  CHECK(route.snapshot().generation == 10);
}

TEST_CASE("Region that goes away leaves what was accepted") {
  Stage stage;
  stage.store(shm::Color::kGreen, 0, 2);
  stage.route.attach(stage.region.get(), stage.app, false);
  stage.route.look();
  stage.route.attach(nullptr, shm::kMaxApps, true);
  CHECK(stage.route.look() == Look::kUnchanged);
  CHECK(stage.route.basis() == Basis::kRegion);
  CHECK(stage.route.snapshot().route.active == shm::Color::kGreen);
}
