// A pull of many objects becomes few lines.
#include "controller/docker/pull_progress.hpp"

#include <catch2/catch.hpp>
#include <vector>

namespace bluegreen {
namespace {

using std::chrono::seconds;
const std::chrono::steady_clock::time_point kStart{seconds(1000)};

TEST_CASE("Pull of four layers shows each quarter once") {
  PullProgress progress;
  std::vector<std::string> lines;
  const auto feed = [&](const std::string& layer, const std::string& status,
                        std::uint64_t current = 0, std::uint64_t total = 0) {
    if (auto line = progress.feed(layer, status, current, total, kStart)) {
      lines.push_back(*line);
    }
  };
  feed("v1", "Pulling from team/app");
  for (const char* layer : {"a", "b", "c", "d"}) {
    feed(layer, "Pulling fs layer");
  }
  for (const char* layer : {"a", "b", "c", "d"}) {
    for (std::uint64_t byte = 0; byte <= 1'000'000; byte += 10'000) {
      feed(layer, "Downloading", byte, 1'000'000);
    }
    feed(layer, "Download complete");
  }
  for (const char* layer : {"a", "b", "c", "d"}) {
    feed(layer, "Extracting", 5, 10);
    feed(layer, "Pull complete");
    feed(layer, "Pull complete");
  }
  CHECK(lines ==
        std::vector<std::string>{"1 of 4 layers, 4.0 of 4.0 MB", "2 of 4 layers, 4.0 of 4.0 MB",
                                 "3 of 4 layers, 4.0 of 4.0 MB", "4 of 4 layers, 4.0 of 4.0 MB"});
}

TEST_CASE("Slow pull shows a line every ten seconds") {
  PullProgress progress;
  CHECK_FALSE(progress.feed("a", "Pulling fs layer", 0, 0, kStart));
  CHECK_FALSE(progress.feed("a", "Downloading", 1'000'000, 8'000'000, kStart + seconds(9)));
  CHECK(progress.feed("a", "Downloading", 2'000'000, 8'000'000, kStart + seconds(10)) ==
        "0 of 1 layers, 2.0 of 8.0 MB");
  CHECK_FALSE(progress.feed("a", "Downloading", 3'000'000, 8'000'000, kStart + seconds(11)));
}

TEST_CASE("Bars are of the layers that are not here yet, and due a few times a second") {
  PullProgress progress;
  CHECK_FALSE(progress.bars_are_due(kStart));
  for (const char* layer : {"z", "a"}) {
    progress.feed(layer, "Pulling fs layer", 0, 0, kStart);
  }
  progress.feed("b", "Already exists", 0, 0, kStart);
  progress.feed("z", "Downloading", 1'000'000, 8'000'000, kStart);
  CHECK(progress.bars_are_due(kStart));
  CHECK_FALSE(progress.bars_are_due(kStart + std::chrono::milliseconds(399)));
  CHECK(progress.bars_are_due(kStart + std::chrono::milliseconds(400)));
  const PullDetails bars = progress.bars();
  CHECK(bars.done == 1);
  CHECK(bars.count == 3);
  REQUIRE(bars.layers.size() == 2);
  CHECK(bars.layers[0].id == "z");
  CHECK(bars.layers[0].current == 1'000'000);
  CHECK(bars.layers[0].total == 8'000'000);
  CHECK(bars.layers[1].state == "Pulling fs layer");
}

TEST_CASE("Progress without totals has no megabytes to show") {
  PullProgress progress;
  CHECK(progress.feed("a", "Already exists", 0, 0, kStart) == "1 of 1 layers");
}

}  // namespace
}  // namespace bluegreen
