// Unit tests of journal.hpp: every way in which the end of a journal can be torn or damaged.
#include "controller/host/journal.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

using namespace bluegreen;

namespace {

struct TempFolder {
  std::string path = "/tmp/journal_test.XXXXXX";
  TempFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TempFolder() { std::filesystem::remove_all(path); }
};

const JournalRecord kFirst{RecordKind::kBegin, "", {{"image", "v\"2\n"}, {"idle", "green"}}};
const JournalRecord kSecond{RecordKind::kIntent, "pull", {}};

std::string two_records() {
  return encode_record(kFirst, 1, {}) + encode_record(kSecond, 2, {});
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("journal record survives its way through the file") {
  const JournalText journal = decode_journal(two_records());
  REQUIRE(journal.records.size() == 2);
  CHECK(journal.records[0].kind == RecordKind::kBegin);
  CHECK(journal.records[0].data == kFirst.data);
  CHECK(journal.records[1].step == "pull");
  CHECK(journal.cut == 0);
}

TEST_CASE("torn last record is not read, wherever it was torn") {
  const std::string whole = two_records();
  const std::size_t first = encode_record(kFirst, 1, {}).size();
  for (std::size_t size = first; size < whole.size(); ++size) {
    CAPTURE(size);
    const JournalText journal = decode_journal(whole.substr(0, size));
    CHECK(journal.records.size() == 1);
    CHECK(journal.valid == first);
    CHECK(journal.cut == size - first);
  }
}

TEST_CASE("record with any byte changed ends the journal before it") {
  const std::string whole = two_records();
  const std::size_t first = encode_record(kFirst, 1, {}).size();
  for (std::size_t at = first; at < whole.size(); ++at) {
    CAPTURE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(decode_journal(damaged).records.size() == 1);
  }
}

TEST_CASE("record that is missing or stands twice ends the journal") {
  const std::string second = encode_record(kSecond, 2, {});
  CHECK(decode_journal(second).records.empty());
  CHECK(decode_journal(two_records() + second).records.size() == 2);
}

TEST_CASE("zeroes after a power loss are not records") {
  CHECK(decode_journal(two_records() + std::string(4096, '\0')).records.size() == 2);
}

TEST_CASE("journal opened again is cut after its last whole record and goes on") {
  TempFolder folder;
  const std::string path = folder.path + "/journal";
  {
    auto journal = Journal::open(path);
    REQUIRE(journal);
    REQUIRE(journal->append(kFirst));
  }
  std::ofstream(path, std::ios::app) << "{\"crc\":\"0000";
  {
    auto journal = Journal::open(path);
    REQUIRE(journal);
    REQUIRE(journal->append(kSecond));
  }
  auto read = Journal::read(path);
  REQUIRE(read);
  CHECK(read->records.size() == 2);
  CHECK(read->cut == 0);
  CHECK(content(path).find("0000\n") == std::string::npos);
}

TEST_CASE("journal that is not there has no records") {
  auto read = Journal::read("/tmp/journal_test.none/journal");
  REQUIRE(read);
  CHECK(read->records.empty());
}

TEST_CASE("record that does not fit on the disk is reported and leaves no half of itself") {
  TempFolder folder;
  const std::string path = folder.path + "/journal";
  auto journal = Journal::open(path);
  REQUIRE(journal);
  REQUIRE(journal->append(kFirst));
  const std::string before = content(path);
  struct rlimit unlimited {};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  const struct rlimit limit { before.size() + 10, unlimited.rlim_max };
  std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  auto appended = journal->append(kSecond);
  ::setrlimit(RLIMIT_FSIZE, &unlimited);
  std::signal(SIGXFSZ, SIG_DFL);
  REQUIRE_FALSE(appended);
  CHECK(appended.error().code == ExitCode::kPreflight);
  CHECK(appended.error().what.find(path + ": the journal cannot be written: ") == 0);
  CHECK(content(path) == before);
  CHECK(journal->append(kSecond));
}
