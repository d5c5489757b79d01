// Replacing a file keeps who may read it, follows links and leaves nothing behind.
#include "controller/host/atomic_file.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

namespace bluegreen {
namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/atomic_file_test.XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path;
};

TEST_CASE("Replaced file has the new text, the old mode and no temporary beside it") {
  const Folder folder;
  const std::string file = folder.path + "/images.env";
  REQUIRE(replace_file(file, "one", 0600));
  REQUIRE(replace_file(file, "two", 0644));
  CHECK(**read_file(file) == "two");
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600U);
  CHECK_FALSE(std::filesystem::exists(file + ".new"));
}

TEST_CASE("Replacing through a symbolic link replaces its target") {
  const Folder folder;
  REQUIRE(replace_file(folder.path + "/real", "one"));
  std::filesystem::create_symlink(folder.path + "/real", folder.path + "/link");
  REQUIRE(replace_file(folder.path + "/link", "two"));
  CHECK(std::filesystem::is_symlink(folder.path + "/link"));
  CHECK(**read_file(folder.path + "/real") == "two");
}

TEST_CASE("File that is not there reads as absent, and removing it is fine") {
  const Folder folder;
  const auto text = read_file(folder.path + "/none");
  REQUIRE(text);
  CHECK_FALSE(*text);
  CHECK(remove_file(folder.path + "/none"));
  const auto written = replace_file(folder.path + "/none/file", "x");
  REQUIRE_FALSE(written);
  CHECK(written.error() == "create " + folder.path + "/none/file.new: No such file or directory");
}

}  // namespace
}  // namespace bluegreen
