// How the configured command becomes arguments, and which images are refused before that.
#include "controller/process/command_line.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

const Substitutions kValues{"v2", shm::Color::kGreen, 8102};

TEST_CASE("Placeholders are replaced wherever they stand, once") {
  CHECK(substituted("/srv/{image}/serve", kValues) == "/srv/v2/serve");
  CHECK(substituted("--bind=127.0.0.1:{port}", kValues) == "--bind=127.0.0.1:8102");
  CHECK(substituted("{color}{color}", kValues) == "greengreen");
  CHECK(substituted("{other} {image", kValues) == "{other} {image");
  // What is put in is not looked at again.
  CHECK(substituted("{image}", {"{port}", shm::Color::kBlue, 1}) == "{port}");
}

TEST_CASE("Image that leads out of its folder or is no word is refused") {
  CHECK(check_image_word("v1.2.3"));
  CHECK(check_image_word("releases/v1..2"));
  for (const std::string& image : {std::string(), std::string("../x"), std::string("a/../b"),
                                   std::string("a b"), std::string("a\n"), std::string(256, 'x')}) {
    INFO(image);
    const auto checked = check_image_word(image);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ExitCode::kPull);
  }
}

TEST_CASE("File of an image is the program, or the script that an interpreter gets") {
  CHECK(file_of_image({"/srv/{image}/serve", "{port}"}, kValues) == "/srv/v2/serve");
  CHECK(file_of_image({"python3", "-u", "/srv/{image}/app.py"}, kValues) == "/srv/v2/app.py");
  CHECK(file_of_image({"serve", "--release={image}", "{port}"}, kValues).empty());
}

TEST_CASE("Program without a slash is looked up in PATH") {
  CHECK(find_program("sh"));
  CHECK_FALSE(find_program("no-such-program"));
  CHECK_FALSE(find_program("/etc"));
  CHECK_FALSE(find_program("/etc/passwd"));
}

}  // namespace
}  // namespace bluegreen
