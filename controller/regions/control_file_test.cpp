// Tests of control_file.hpp, on real files.
#include "controller/regions/control_file.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

#include "controller/regions/test_folder.hpp"

namespace bluegreen {
namespace {

struct Fixture {
  TestFolder folder;
  std::string path = folder.path + "/control";

  std::unique_ptr<ControlFile> open() {
    auto file = ControlFile::open(path, ControlAccess::kChange, folder.path + "/run");
    INFO((file ? std::string() : file.error().what));
    REQUIRE(file);
    return std::move(*file);
  }
  std::unique_ptr<ControlFile> make() {
    REQUIRE(ControlFile::create(path, {"app"}) == true);
    return open();
  }
  std::string open_error() {
    const auto file = ControlFile::open(path, ControlAccess::kChange, folder.path + "/run");
    REQUIRE_FALSE(file);
    CHECK(file.error().code == ExitCode::kUsage);
    return file.error().what;
  }
  void overwrite(std::size_t at, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
    REQUIRE(file.flush());
  }
};

Publication publication(const std::string& release, const char* address) {
  Publication result{release, "repo:" + release, "d1", {}};
  if (*address != '\0') {
    result.endpoints.emplace_back();
    REQUIRE(shm::parse_endpoint(address, result.endpoints.back()));
  }
  return result;
}

std::string release_of(const shm::AppSnapshot& snapshot, Color color) {
  return std::string(shm::text_of(snapshot.tables[shm::index_of(color)].release));
}

}  // namespace

TEST_CASE_METHOD(Fixture, "ControlFile: a new region has blue active and nothing published") {
  const auto file = make();
  const auto now = file->read("app");
  REQUIRE(now);
  CHECK(now->route.active == Color::kBlue);
  CHECK(now->generation == 1);
  CHECK_FALSE(shm::is_published(now->tables[0]));
  CHECK(file->damage().empty());
  CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0644));
  CHECK(ControlFile::create(path, {"other"}) == false);  // and it is left as it is
  CHECK(open()->apps() == std::vector<std::string>{"app"});
}

TEST_CASE_METHOD(Fixture, "ControlFile: applications are added once and survive opening") {
  const auto file = make();
  CHECK(file->activate("app", Color::kGreen) == 2);
  CHECK(file->add_app("second") == true);
  CHECK(file->add_app("app") == false);
  CHECK(open()->read("app")->route.active == Color::kGreen);
  CHECK(open()->apps() == std::vector<std::string>{"app", "second"});
  CHECK_FALSE(file->add_app("no/name"));
  for (int i = 2; i < 64; ++i) {
    REQUIRE(file->add_app("a" + std::to_string(i)) == true);
  }
  const auto full = file->add_app("one-more");
  REQUIRE_FALSE(full);
  CHECK(full.error().what == path + ": no room for another application: expected fewer than 64");
}

TEST_CASE_METHOD(Fixture,
                 "ControlFile: publish fills the table that does not count, then flips it") {
  const auto file = make();
  CHECK(file->publish("app", Color::kGreen, publication("v1", "127.0.0.1:81")) == 2);
  const auto first = open()->read("app");
  REQUIRE(first);
  CHECK(first->route.table[1] == 1);
  CHECK(first->route.table[0] == 0);
  CHECK(release_of(*first, Color::kGreen) == "v1");
  CHECK(first->tables[1].generation == 2);
  CHECK(first->tables[1].count == 1);
  CHECK(file->publish("app", Color::kGreen, publication("v2", "")) == 3);
  const auto second = open()->read("app");
  CHECK(second->route.table[1] == 0);
  CHECK(release_of(*second, Color::kGreen) == "v2");
  CHECK(shm::is_published(second->tables[1]));
  CHECK(second->tables[1].count == 0);
}

TEST_CASE_METHOD(Fixture, "ControlFile: publish refuses what does not fit, and changes nothing") {
  const auto file = make();
  Publication bad = publication(std::string(200, 'v'), "127.0.0.1:81");
  const auto result = file->publish("app", Color::kBlue, bad);
  REQUIRE_FALSE(result);
  CHECK(result.error().what == "publish blue: release \"" + std::string(64, 'v') +
                                   "\": expected at most 127 bytes, found 200");
  bad = publication("v1", "127.0.0.1:81");
  bad.endpoints.resize(33, bad.endpoints[0]);
  CHECK_FALSE(file->publish("app", Color::kBlue, bad));
  bad.endpoints.assign(1, shm::Endpoint{});
  CHECK_FALSE(file->publish("app", Color::kBlue, bad));
  CHECK(file->read("app")->generation == 1);
}

TEST_CASE_METHOD(Fixture,
                 "ControlFile: activate flips once and says the present generation again") {
  const auto file = make();
  CHECK(file->activate("app", Color::kGreen) == 2);
  CHECK(file->activate("app", Color::kGreen) == 2);
  const auto now = open()->read("app");
  CHECK(now->route.active == Color::kGreen);
  CHECK(now->flipped_unix_ns != 0);
}

TEST_CASE_METHOD(Fixture,
                 "ControlFile: close closes the idle color; a publish or a flip opens it") {
  const auto file = make();
  const auto refused = file->close("app", Color::kBlue);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what == "application app: blue is active and cannot be drained");
  CHECK(file->close("app", Color::kGreen) == 2);
  CHECK(file->close("app", Color::kGreen) == 2);
  CHECK(open()->read("app")->route.closed(Color::kGreen));
  CHECK(file->publish("app", Color::kGreen, publication("v1", "[::1]:81")) == 3);
  CHECK_FALSE(open()->read("app")->route.closed(Color::kGreen));
  CHECK(file->close("app", Color::kGreen) == 4);
  CHECK(file->activate("app", Color::kGreen) == 5);
  CHECK_FALSE(open()->read("app")->route.closed(Color::kGreen));
}

// The ticket that belongs to the word, as a worker of this boot finds it in the file.
std::chrono::seconds held_for(const std::string& path) {
  std::vector<std::uint64_t> bytes(sizeof(shm::ControlRegion) / sizeof(std::uint64_t));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), sizeof(shm::ControlRegion));
  const auto& region = *reinterpret_cast<const shm::ControlRegion*>(bytes.data());
  shm::AppSnapshot now;
  shm::BootId boot{};
  REQUIRE(shm::boot_id(boot));
  REQUIRE(shm::read_app(region, 0, now) == shm::ReadResult::kOk);
  return std::chrono::ceil<std::chrono::seconds>(
      std::chrono::nanoseconds(shm::ticket_left_ns(now.hold, boot, shm::boottime_ns())));
}

TEST_CASE_METHOD(Fixture, "ControlFile: each word of a hold has its ticket, whatever changes") {
  using namespace std::chrono_literals;
  const auto file = make();
  CHECK(file->hold("app", 60s) == 2);
  CHECK(held_for(path) == 60s);
  CHECK(file->activate("app", Color::kGreen) == 3);
  CHECK(held_for(path) == 60s);
  CHECK(file->publish("app", Color::kBlue, publication("v1", "127.0.0.1:81")) == 4);
  CHECK(file->set_weight("app", 100) == 5);
  CHECK(file->set_maintenance("app", true) == 6);
  CHECK(held_for(path) == 60s);
  CHECK(file->hold("app", 120s) == 7);
  CHECK(held_for(path) == 120s);
  CHECK(file->change("app", "fallback on", [](RouteState& state) -> Result<void> {
    state.route.flags |= shm::kFallback;
    return {};
  }) == 8);
  CHECK(held_for(path) == 120s);
  CHECK(file->release("app") == 9);
  CHECK(held_for(path) == 0s);
  const auto now = open()->read("app");
  CHECK(now->route.flags == (shm::kMaintenance | shm::kFallback));
  CHECK(now->route.weight == 100);
  CHECK(file->release("app") == 9);
}

TEST_CASE_METHOD(Fixture, "ControlFile: a hold that counts no more is dropped, not renewed") {
  using namespace std::chrono_literals;
  const auto file = make();
  REQUIRE(file->hold("app", 60s) == 2);
  // Another boot: 16 bytes of its id, with the CRC that belongs to them.
  shm::BootId other_boot{};
  const shm::HoldTicket foreign =
      shm::make_ticket(shm::boottime_ns() + 60'000'000'000ULL, other_boot);
  overwrite(4096 + 192, std::string(reinterpret_cast<const char*>(&foreign), sizeof(foreign)));
  CHECK(file->hold_left(*file->read("app")) == 0s);
  CHECK(file->set_weight("app", 1) == 3);
  CHECK_FALSE(open()->read("app")->route.has(shm::kHold));
  // And a damaged one.
  REQUIRE(file->hold("app", 60s) == 4);
  overwrite(4096 + 192, "damage");
  CHECK(file->hold_left(*file->read("app")) == 0s);
  CHECK(file->release("app") == 5);
  CHECK_FALSE(open()->read("app")->route.has(shm::kHold));
}

TEST_CASE_METHOD(Fixture,
                 "ControlFile: an application that is not there is named with those that are") {
  const auto file = make();
  const auto result = file->activate("ap", Color::kGreen);
  REQUIRE_FALSE(result);
  CHECK(result.error().what == path + ": there is no application \"ap\"; the region has app");
}

TEST_CASE_METHOD(Fixture, "ControlFile: missing, short, foreign and another ABI are told apart") {
  CHECK(open_error() == path + ": no such file");
  std::ofstream(path) << "hello";
  CHECK(open_error() == path + ": too short: expected 1576960 bytes, found 5");
  std::filesystem::remove(path);
  make();
  std::filesystem::resize_file(path, 100'000);
  CHECK(open_error() == path + ": too short: expected 1576960 bytes, found 100000");
  std::filesystem::remove(path);
  make();
  overwrite(40, "\x41");
  CHECK(open_error().rfind(path + ": damaged header: expected checksum ", 0) == 0);
  overwrite(8, "\x02");
  CHECK(open_error() == path + ": ABI version 2, this program reads 1");
  overwrite(0, "BGTELE");
  CHECK(open_error().rfind(path + ": not a bluegreen control region: expected magic ", 0) == 0);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK(open_error() == path + ": not a regular file");
}

TEST_CASE_METHOD(Fixture, "ControlFile: a damaged word is refused by file, application and word") {
  const auto file = make();
  overwrite(4096 + 128, std::string(8, '\0'));
  const std::string expected = path +
                               ": application app: damaged route word 0x0000000000000000: "
                               "it was never written, or the page is lost";
  CHECK(file->read("app").error().what == expected);
  CHECK(file->activate("app", Color::kGreen).error().what == expected);
  CHECK(file->damage() == std::vector<std::string>{expected});
  overwrite(4096 + 128, "\x01");
  CHECK(file->read("app").error().what.rfind(
            path + ": application app: damaged route word 0x0000000000000001: expected check 0x",
            0) == 0);
  CHECK(file->read("app").error().code == ExitCode::kUsage);
}

TEST_CASE_METHOD(Fixture, "ControlFile: a damaged table is refused by color and checksum") {
  const auto file = make();
  REQUIRE(file->publish("app", Color::kGreen, publication("v1", "127.0.0.1:81")));
  overwrite(4096 + 4096 + 3 * 5120 + 32, "x");  // green's table 1, its release
  const auto result = file->activate("app", Color::kGreen);
  REQUIRE_FALSE(result);
  CHECK(result.error().what.rfind(
            path + ": application app: damaged endpoint table 1 of green: expected checksum 0x",
            0) == 0);
}

TEST_CASE_METHOD(Fixture, "ControlFile: a file that was replaced meanwhile is not written") {
  const auto file = make();
  std::filesystem::remove(path);
  REQUIRE(ControlFile::create(path, {"app"}) == true);
  const auto result = file->activate("app", Color::kGreen);
  REQUIRE_FALSE(result);
  CHECK(result.error().what == path + ": the file was replaced or removed meanwhile");
}

TEST_CASE_METHOD(Fixture, "ControlFile: the folder is made; one that cannot be is named") {
  path = folder.path + "/a/b/control";
  make();
  path = "/dev/null/control";
  const auto result = ControlFile::create(path, {});
  REQUIRE_FALSE(result);
  CHECK(result.error().what.rfind("/dev/null/control: ", 0) == 0);
}

}  // namespace bluegreen
