// Unit tests of releases.hpp: which images outlive a prune.
#include "controller/deploy/releases.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen;

namespace {

TraceSummary ended(const std::string& id, const std::string& image, ExitCode code) {
  TraceSummary summary;
  summary.id = id;
  summary.verdict.emplace();
  summary.verdict->code = code;
  summary.verdict->image = image;
  summary.verdict->release = "release of " + image;
  return summary;
}

TraceSummary good(const std::string& id, const std::string& image) {
  return ended(id, image, ExitCode::kDone);
}

shm::AppSnapshot serves(const std::string& active, const std::string& idle) {
  shm::AppSnapshot now;
  now.route.active = Color::kGreen;
  shm::set_text(now.tables[1].image, active);
  shm::set_text(now.tables[0].image, idle);
  return now;
}

using Images = std::vector<std::string>;

}  // namespace

TEST_CASE("images of the last releases are kept, each once, whatever failed in between") {
  const std::vector<TraceSummary> list = {
      good("d7", "i5"), ended("d6", "bad", ExitCode::kNotHealthy), good("d5", "i4"),
      good("d4", "i5"), ended("d3", "i3", ExitCode::kDrainForced), good("d2", "i2"),
      good("d1", "i1")};
  CHECK(images_to_keep(list, serves("i5", "i4"), 3) == Images{"i5", "i4", "i3"});
  CHECK(images_to_keep(list, serves("i5", "i4"), 2) == Images{"i5", "i4"});
}

TEST_CASE("image of the rollback is kept however few releases are") {
  const std::vector<TraceSummary> list = {good("d3", "i3"), good("d2", "i2"), good("d1", "i1")};
  CHECK(images_to_keep(list, serves("i3", "i2"), 1) == Images{"i3", "i2"});
  // The region names none: then the history does, as for the rollback itself.
  CHECK(images_to_keep(list, serves("i3", ""), 1) == Images{"i3", "i2"});
  // Switched by hand: what serves is not what was deployed last.
  CHECK(images_to_keep(list, serves("i1", "i3"), 1) == Images{"i3", "i1"});
}

TEST_CASE("traces beyond the newest go, but none that runs, was interrupted or is needed") {
  std::vector<TraceSummary> list = {
      good("d9", "i3"), good("d8", "i3"), ended("d7", "bad", ExitCode::kPull),
      good("d6", "i2"), good("d5", "i2"), ended("d4", "bad", ExitCode::kInterrupted),
      TraceSummary{},   good("d2", "i1"), good("d1", "i1")};
  list[6].id = "d3";  // no verdict: it runs, or its process died
  auto now = serves("i3", "i2");
  // Of i2 and i1 the newest trace is what a rollback reads.
  CHECK(traces_to_drop(list, now, 3, 2) == Images{"d7", "d5", "d1"});
  CHECK(traces_to_drop(list, now, 1, 2) == Images{"d7", "d5", "d2", "d1"});
  CHECK(traces_to_drop(list, now, 3, 100).empty());
  shm::set_text(now.tables[0].deploy_id, "d5");
  CHECK(traces_to_drop(list, now, 3, 2) == Images{"d7", "d1"});
  list[7].command = "contract";
  CHECK(traces_to_drop(list, now, 1, 2) == Images{"d7", "d1"});
}

TEST_CASE("images of failed deploys are ours, too, under both of their names") {
  TraceSummary asked = good("d2", "r@2");
  asked.image = "r:v2";
  CHECK(images_deployed({ended("d3", "r@3", ExitCode::kNotHealthy), asked}) ==
        Images{"r@3", "r:v2", "r@2"});
}

TEST_CASE("release before is the last that served and does not now") {
  const std::vector<TraceSummary> list = {ended("d3", "i3", ExitCode::kPull), good("d2", "i2"),
                                          good("d1", "i1")};
  CHECK(release_before(list, "i2").image == "i1");
  CHECK(release_before(list, "i1").release == "release of i2");
  CHECK(release_before({}, "i1").image.empty());
}
