// The record: what is written is read back, and a record that is not whole is refused.
#include "tools/loadgen/record.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <vector>

namespace {

using namespace bluegreen::loadgen;

class TemporaryFile {
 public:
  TemporaryFile() {
    char name[] = "/tmp/loadgen-record-XXXXXX";
    ::close(::mkstemp(name));
    path_ = name;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("RecordWriter's lines are read back, with strange field text made harmless") {
  TemporaryFile file;
  RecordWriter writer;
  REQUIRE(writer.open(file.path()).empty());
  writer.write({1, 20, 200, "gr,ee\nn", "v1", 3, ""});
  writer.write({5, 30, 0, "", std::string(500, 'x'), 4, "timeout"});
  REQUIRE(writer.close().empty());
  std::vector<std::string> seen;
  REQUIRE(read_record(file.path(), [&seen](const Sample& s) {
            seen.push_back(std::to_string(s.start_ns) + "/" + std::to_string(s.end_ns) + "/" +
                           std::to_string(s.status) + "/" + std::string(s.color) + "/" +
                           std::to_string(s.release.size()) + "/" + std::to_string(s.connection) +
                           "/" + std::string(s.error));
          }).empty());
  CHECK(seen == std::vector<std::string>{"1/20/200/gr_ee_n/2/3/", "5/30/0//128/4/timeout"});
}

TEST_CASE("read_record refuses a line that is not whole") {
  TemporaryFile file;
  const std::string good = "1,2,200,blue,v1,1,\n";
  const std::string bad = GENERATE("1,2,200,blue,v1,1", "1,2,200,blue,v1\n", "2,1,200,blue,v1,1,\n",
                                   "1,2,200,blue,v1,1,,\n", "a,2,200,blue,v1,1,\n", "\n");
  std::ofstream(file.path()) << good << bad;
  const std::string error = read_record(file.path(), [](const Sample&) {});
  CHECK(error.find(file.path() + ":2: ") == 0);
}

TEST_CASE("RecordWriter reports a file that cannot be written") {
  RecordWriter writer;
  CHECK(writer.open("/no/such/folder/file") ==
        "cannot write /no/such/folder/file: No such file or directory");
  RecordWriter full;
  REQUIRE(full.open("/dev/full").empty());
  full.write({1, 2, 200, "", "", 1, ""});
  CHECK(full.close() == "cannot write /dev/full: No space left on device");
}
