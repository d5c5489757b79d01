// Region files: created whole or not at all, and every kind of damage told apart when opened.
#include "shm/region_file.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <random>

#include "shm/sample_regions.hpp"

using namespace bluegreen::shm;

namespace {

constexpr const RegionKind& kKind = kControlKind;

int create(const std::string& path, RegionOwner owner = {}) {
  const auto region = sample::make_control();
  return create_region_file(path.c_str(), region.get(), sizeof(*region), owner);
}

OpenResult open_kind(const std::string& path, const RegionKind& kind = kKind,
                     std::string* message = nullptr) {
  UniqueFd fd;
  const OpenError error = open_region(path.c_str(), O_RDONLY, kind, fd);
  CHECK((error.result == OpenResult::kOk) == static_cast<bool>(fd));
  char text[200];
  describe(error, kind, text, sizeof(text));
  if (message != nullptr) {
    *message = text;
  }
  return error.result;
}

void overwrite(const std::string& path, off_t offset, const void* bytes, std::size_t size) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::pwrite(fd.get(), bytes, size, offset) == static_cast<ssize_t>(size));
}

// The header with one change, sealed again.
void overwrite_header(const std::string& path, const std::function<void(RegionHeader&)>& change) {
  RegionHeader header = make_header(kKind, sample::kControlId, sample::kTime);
  change(header);
  header.crc = header_crc(header);
  overwrite(path, 0, &header, sizeof(header));
}

std::size_t files_in(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("Region file that was created opens, with its mode, and leaves nothing beside it") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("control");
  RegionOwner owner;
  owner.mode = 0640;
  REQUIRE(create(path, owner) == 0);
  CHECK(open_kind(path) == OpenResult::kOk);
  CHECK(files_in(folder.path()) == 1);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  CHECK(status.st_nlink == 1);
  CHECK(status.st_size == static_cast<off_t>(kKind.file_size));
  CHECK(status.st_blocks * 512 >= status.st_size);  // no hole that a full disk makes a SIGBUS
}

TEST_CASE("Region file is never created over another one") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("control");
  std::ofstream(path) << "mine";
  CHECK(create(path) == EEXIST);
  std::string text;
  std::ifstream(path) >> text;
  CHECK(text == "mine");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("Region file that cannot be created gives its errno and leaves nothing") {
  sample::TemporaryFolder folder;
  CHECK(create(folder.file("no/such/control")) == ENOENT);
  CHECK(create(folder.file(std::string(5000, 'a'))) == ENAMETOOLONG);
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("Region file's temporary that was left by a dead process is replaced") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("control");
  std::ofstream(path + "." + std::to_string(::getpid()) + ".new") << "half";
  CHECK(create(path) == 0);
  CHECK(open_kind(path) == OpenResult::kOk);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("link_region_file links its own file, not another one under its temporary's name") {
  sample::TemporaryFolder folder;
  const std::string temporary = folder.file("t");
  UniqueFd fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  REQUIRE(fd);
  // What a process of the same id in another container does.
  REQUIRE(::unlink(temporary.c_str()) == 0);
  std::ofstream(temporary) << "half of another one";
  const std::string path = folder.file("control");
  CHECK(link_region_file(fd.get(), temporary.c_str(), path.c_str()) == EBUSY);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("Region file created by many processes at once is one whole file") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("control");
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto region = sample::make_control();
      ::_exit(create_region_file(path.c_str(), region.get(), sizeof(*region), {}));
    }
    children.push_back(child);
  }
  int made = 0;
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    made += WEXITSTATUS(status) == 0 ? 1 : 0;
    CHECK((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EEXIST));
  }
  CHECK(made == 1);
  CHECK(open_kind(path) == OpenResult::kOk);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("open_region tells what is not a region file at all") {
  sample::TemporaryFolder folder;
  std::string message;
  CHECK(open_kind(folder.file("none"), kKind, &message) == OpenResult::kAbsent);
  CHECK(message == "no such file");
  CHECK(open_kind(folder.path(), kKind, &message) == OpenResult::kNotRegular);
  CHECK(message == "not a regular file");
  OpenError denied;
  denied.result = OpenResult::kNoAccess;
  denied.error = EACCES;
  char text[100];
  CHECK(std::string(describe(denied, kKind, text, sizeof(text))) == "Permission denied");
  const std::string path = folder.file("control");
  REQUIRE(create(path) == 0);
  REQUIRE(::symlink(path.c_str(), folder.file("link").c_str()) == 0);
  CHECK(open_kind(folder.file("link")) == OpenResult::kNotRegular);
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  CHECK(open_kind(folder.file("fifo")) == OpenResult::kNotRegular);
  const int sock = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder.file("sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  REQUIRE(::bind(sock, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  CHECK(open_kind(folder.file("sock")) == OpenResult::kNotRegular);
  ::close(sock);
}

TEST_CASE("open_region names the first thing that is wrong, with what was expected and found") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("control");
  REQUIRE(create(path) == 0);
  std::string message;
  SECTION("shorter than a header") {
    REQUIRE(::truncate(path.c_str(), 63) == 0);
    CHECK(open_kind(path, kKind, &message) == OpenResult::kTooShort);
    CHECK(message == "too short: expected 1576960 bytes, found 63");
  }
  SECTION("empty") {
    REQUIRE(::truncate(path.c_str(), 0) == 0);
    CHECK(open_kind(path) == OpenResult::kTooShort);
  }
  SECTION("one byte short") {
    REQUIRE(::truncate(path.c_str(), 1576959) == 0);
    CHECK(open_kind(path, kKind, &message) == OpenResult::kTooShort);
    CHECK(message == "too short: expected 1576960 bytes, found 1576959");
  }
  SECTION("the other kind") {
    CHECK(open_kind(path, kTelemetryKind, &message) == OpenResult::kBadMagic);
    CHECK(message ==
          "not a bluegreen telemetry region: expected magic 0a0d454c45544742, found "
          "0a0d4c5254434742");
  }
  SECTION("a newer ABI") {
    overwrite_header(path, [](RegionHeader& h) { h.abi = 2; });
    CHECK(open_kind(path, kKind, &message) == OpenResult::kBadAbi);
    CHECK(message == "ABI version 2, this program reads 1");
  }
  SECTION("a damaged header") {
    const char byte = 1;
    overwrite(path, 52, &byte, 1);
    CHECK(open_kind(path, kKind, &message) == OpenResult::kBadChecksum);
    CHECK(message.find("damaged header: expected checksum ") == 0);
  }
  SECTION("another stride") {
    overwrite_header(path, [](RegionHeader& h) { h.stride = 4096; });
    CHECK(open_kind(path, kKind, &message) == OpenResult::kBadSize);
    CHECK(message == "wrong layout: expected stride 24576, found 4096");
  }
  SECTION("another file size") {
    overwrite_header(path, [](RegionHeader& h) { h.file_size = 8192; });
    CHECK(open_kind(path, kKind, &message) == OpenResult::kBadSize);
    CHECK(message == "wrong layout: expected file size 1576960, found 8192");
  }
  SECTION("no id") {
    overwrite_header(path, [](RegionHeader& h) { h.id = 0; });
    CHECK(open_kind(path, kKind, &message) == OpenResult::kBadSize);
    CHECK(message == "wrong layout: expected an id other than 0, found 0");
  }
}

TEST_CASE("open_region accepts no header but a whole one, whatever was done to the file") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("control");
  REQUIRE(create(path) == 0);
  RegionHeader whole{};
  std::ifstream(path).read(reinterpret_cast<char*>(&whole), sizeof(whole));
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    RegionHeader header = whole;
    auto* bytes = reinterpret_cast<unsigned char*>(&header);
    for (std::uint32_t hits = 1 + random() % 8; hits > 0; --hits) {
      const std::uint32_t at = random() % sizeof(header);
      bytes[at] = (random() & 1U) != 0
                      ? static_cast<unsigned char>(random())
                      : static_cast<unsigned char>(bytes[at] ^ (1U << random() % 8));
    }
    overwrite(path, 0, &header, sizeof(header));
    const off_t size = random() % 4 != 0 ? static_cast<off_t>(kKind.file_size)
                                         : static_cast<off_t>(random() % kKind.file_size);
    REQUIRE(::truncate(path.c_str(), size) == 0);
    const bool good = std::memcmp(&header, &whole, sizeof(header)) == 0 &&
                      size == static_cast<off_t>(kKind.file_size);
    REQUIRE((open_kind(path) == OpenResult::kOk) == good);
    REQUIRE(open_kind(path, kTelemetryKind) != OpenResult::kOk);
  }
}
