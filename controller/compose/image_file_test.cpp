// The images file is set and put back, also when the order of things is that of a crash.
#include "controller/compose/image_file.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

using shm::Color;

struct World {
  World() {
    char name[] = "/tmp/image_file_test.XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~World() { std::filesystem::remove_all(folder); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] std::string path() const { return folder + "/images.env"; }
  [[nodiscard]] ImageFile file() const { return {path(), variables}; }
  [[nodiscard]] std::string text() const { return read_file(path())->value_or("(none)"); }
  [[nodiscard]] bool has_undo() const {
    return std::filesystem::exists(path() + ".APP_BLUE_IMAGE.undo");
  }

  std::string folder;
  const std::string variables[2] = {"APP_BLUE_IMAGE", "APP_GREEN_IMAGE"};
};

const std::string kBefore = "# mine\nAPP_BLUE_IMAGE=b1\nAPP_GREEN_IMAGE=g1\nX=1\n";

TEST_CASE("First image of all is set for both colors, and undone to no file") {
  const World world;
  REQUIRE(world.file().set(Color::kGreen, "g1"));
  CHECK(world.text() == "APP_GREEN_IMAGE=g1\nAPP_BLUE_IMAGE=g1\n");
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.text() == "(none)");
  CHECK_FALSE(world.has_undo());
}

TEST_CASE("Image is set for one color and undone to the byte") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(world.file().set(Color::kGreen, "g2"));
  CHECK(world.text() == "# mine\nAPP_BLUE_IMAGE=b1\nAPP_GREEN_IMAGE=g2\nX=1\n");
  CHECK(world.file().image(Color::kGreen)->value() == "g2");
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.text() == kBefore);
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.text() == kBefore);
}

TEST_CASE("Second set after a crash keeps what stood there before the first") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(world.file().set(Color::kGreen, "g2"));
  REQUIRE(world.file().set(Color::kGreen, "g3"));
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.text() == kBefore);
}

TEST_CASE("Crash between undo file and images file leaves nothing to do") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(world.file().set(Color::kGreen, "g2"));
  REQUIRE(replace_file(world.path(), kBefore));  // as if the second write had not come
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.text() == kBefore);
  CHECK_FALSE(world.has_undo());
}

TEST_CASE("Settled image is final") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(world.file().set(Color::kGreen, "g2"));
  REQUIRE(world.file().settle());
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.file().image(Color::kGreen)->value() == "g2");
}

TEST_CASE("Restore of the other color changes nothing") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(world.file().set(Color::kGreen, "g2"));
  REQUIRE(world.file().restore(Color::kBlue));
  CHECK(world.file().image(Color::kGreen)->value() == "g2");
  REQUIRE(world.file().set(Color::kBlue, "b2"));  // green went well
  REQUIRE(world.file().restore(Color::kBlue));
  CHECK(world.file().image(Color::kGreen)->value() == "g2");
  CHECK(world.file().image(Color::kBlue)->value() == "b1");
}

TEST_CASE("Value that somebody else has changed meanwhile is theirs") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(world.file().set(Color::kGreen, "g2"));
  REQUIRE(replace_file(world.path(), "APP_BLUE_IMAGE=b1\nAPP_GREEN_IMAGE=theirs\n"));
  REQUIRE(world.file().restore(Color::kGreen));
  CHECK(world.text() == "APP_BLUE_IMAGE=b1\nAPP_GREEN_IMAGE=theirs\n");
}

TEST_CASE("Damaged undo file is refused by name and nothing is changed") {
  const World world;
  REQUIRE(replace_file(world.path(), kBefore));
  REQUIRE(replace_file(world.path() + ".APP_BLUE_IMAGE.undo", "{\"schema\": 1}"));
  const auto set = world.file().set(Color::kGreen, "g2");
  REQUIRE_FALSE(set);
  CHECK(set.error().starts_with(world.path() + ".APP_BLUE_IMAGE.undo is no undo file"));
  CHECK(world.text() == kBefore);
}

}  // namespace
}  // namespace bluegreen
