// The dump of whole, truncated and overwritten files: it says what is wrong and never crashes.
#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <sstream>

#include "shm/sample_regions.hpp"
#include "shm/worker_slots.hpp"
#include "tools/shm_dump/dump.hpp"

using namespace bluegreen::shm;
using bluegreen::shm_dump::dump_file;
using bluegreen::shm_dump::Kind;

namespace {

struct Dump {
  int code;
  std::string out;
  std::string errors;
  bool says(const std::string& text) const { return out.find(text) != std::string::npos; }
};

Dump dump(const std::string& path, Kind kind = Kind::kByMagic) {
  std::ostringstream out;
  std::ostringstream errors;
  const int code = dump_file(out, errors, path, kind);
  return {code, out.str(), errors.str()};
}

template <class Region>
void write(const std::string& path, const Region& region,
           std::ios::openmode mode = std::ios::trunc) {
  std::ofstream(path, std::ios::binary | mode)
      .write(reinterpret_cast<const char*>(&region), sizeof(region));
}

}  // namespace

TEST_CASE("shm_dump prints a whole control region") {
  sample::TemporaryFolder folder;
  write(folder.file("c"), *sample::make_control());
  const Dump d = dump(folder.file("c"));
  INFO(d.out);
  CHECK(d.code == 0);
  CHECK(d.says("control region, 1576960 bytes\nheader: ok\n"));
  CHECK(d.says("id 1122334455667788, created 2026-01-01T00:00:00.000Z"));
  CHECK(d.says("application 0 \"app\": state 1 live, name's crc ok\n"));
  CHECK(
      d.says(" valid: active green, other's weight 25.00 %, flags fallback closed-blue, tables "
             "blue 1 green 1, generation ...3\n"));
  CHECK(d.says("generation 7340035 (beside the word: 7340035), last flip 2026-01-01"));
  CHECK(d.says(
      "hold ticket 0: deadline 123456789 ns after boot 30313233343536373839616263646566, crc ok"));
  CHECK(d.says("blue table 0 (spare): crc ok, not published"));
  CHECK(d.says("green table 1 (counts): crc ok, generation 3, published 2026-01-01"));
  CHECK(d.says("release \"v2\", deploy \"deploy-1\", image \"registry.example/app:v2\""));
  CHECK(d.says("endpoint 1: \"[2001:db8::1]:443\", weight 1, identity 0000000000000302"));
  CHECK(d.says("endpoint 2: \"unix:/run/app.sock\""));
  CHECK(d.says("application 1 \"tool\": state 1 live"));
  CHECK(d.says("free records: 62\n"));
}

TEST_CASE("shm_dump prints who probes and what the probes found") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("t");
  const auto control = sample::make_control();
  write(path, *sample::make_telemetry(*control));
  CHECK(dump(path).says("no second part: no health, no events, no latencies\n"));
  const auto detail = sample::make_detail(*control);
  write(path, *detail, std::ios::app);
  const Dump d = dump(path);
  INFO(d.out);
  CHECK(d.code == 0);
  CHECK(d.says("prober: slot 1, epoch 1\nevents: 1\nhealth of application 0: moves 70\n"));
  CHECK(d.says("  green 0: unhealthy, epoch 1, tag "));
  CHECK(d.says(", probes 64, failures 65, status 503, 66 us, \"status 503, expected 200-399\"\n"));
  detail->app.health[1][0].details[1].probes = 1;
  write(path, *sample::make_telemetry(*control));
  write(path, *detail, std::ios::app);
  CHECK(dump(path).says(", its detail does not count\n"));
}

TEST_CASE("shm_dump prints a whole telemetry region, with the life of its slots") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("t");
  write(path, *sample::make_telemetry(*sample::make_control()));
  const UniqueFd owner(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(try_lock_byte(owner.get(), slot_offset(1)));
  const Dump d = dump(path);
  INFO(d.out);
  CHECK(d.code == 0);
  CHECK(d.says("telemetry region, 3444736 bytes\nheader: ok\n"));
  CHECK(d.says("workers without a slot: 2\n"));
  CHECK(d.says("name 1: \"app\", state 1\n"));
  CHECK(d.says("mirror 1 of \"app\"\n  copy 0: crc ok, accepted 2026-01-01"));
  CHECK(d.says("  copy 1: never written\n"));
  CHECK(
      d.says("slot 0: free, state 1, pid 1000, taken 2026-01-01T00:00:00.000Z, cycle 3, owners 7"));
  CHECK(d.says("  control 1122334455667788, ok (1)\n"));
  CHECK(d.says("slot 1: live, state 1, pid 1001"));
  CHECK(d.says("  control 0000000000000000, damaged (2)\n"));
  CHECK(d.says(
      "  \"app\" green: in flight 11, requests 12, responses 1xx 21 2xx 22 3xx 23 4xx 24 "
      "5xx 25, none 31, tries 32, failures 33, withdrawn 34, waiting 41, weighted 42, previews 43, "
      "fallbacks 44, refused 45\n"));
  CHECK(d.says("unused slots: 126\n"));
}

TEST_CASE("shm_dump says what is wrong with a damaged control region and prints the rest") {
  sample::TemporaryFolder folder;
  const auto region = sample::make_control();
  AppRecord& app = region->apps[0];
  std::string expected;
  SECTION("header") {
    region->header.crc ^= 1;
    expected = "header: DAMAGED: damaged header: expected checksum ";
  }
  SECTION("word") {
    app.word = app.word ^ 1U;
    expected = " INVALID (check expected ";
  }
  SECTION("no word") {
    app.word = 0;
    expected = "word 0000000000000000 INVALID (the word is 0)";
  }
  SECTION("name") {
    app.name[1] = '\n';
    expected = "application 0 \"a\\x0ap\": state 1 live, NAME'S CRC BAD (expected ";
  }
  SECTION("table that counts") {
    app.tables[1][1].endpoints[0].weight = 0;
    expected = "green table 1 (counts): CRC BAD (expected ";
  }
  SECTION("count") {
    app.tables[1][1].count = 4000000000;
    app.tables[1][1].crc = table_crc(app.tables[1][1]);
    expected = "  COUNT 4000000000 is over 32\n";
  }
  write(folder.file("c"), *region);
  const Dump d = dump(folder.file("c"));
  INFO(d.out);
  CHECK(d.code == 1);
  CHECK(d.says(expected));
  CHECK(d.says("application 1 \"tool\": state 1 live, name's crc ok\n"));
}

TEST_CASE("shm_dump takes a half-written spare table for what it is") {
  sample::TemporaryFolder folder;
  const auto region = sample::make_control();
  region->apps[0].tables[0][0].release[0] = 'x';
  write(folder.file("c"), *region);
  const Dump d = dump(folder.file("c"));
  CHECK(d.code == 0);
  CHECK(d.says("blue table 0 (spare): CRC BAD"));
}

TEST_CASE("shm_dump prints what a truncated region has left") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("c");
  write(path, *sample::make_control());
  REQUIRE(::truncate(path.c_str(), 4096 + 300) == 0);
  const Dump d = dump(path);
  INFO(d.out);
  CHECK(d.code == 1);
  CHECK(d.says("header: DAMAGED: too short: expected 1576960 bytes, found 4396\n"));
  CHECK(d.says("application 0: only 300 of 24576 bytes are in the file\n"));
  CHECK(d.says("application 0 \"app\": state 1 live, name's crc ok\n"));
  CHECK(d.says("applications 1 to 63 lie beyond the end of the file\n"));
}

TEST_CASE("shm_dump names a file that is no region, and reads it when told its kind") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("c");
  CHECK(dump(path).errors == "shm_dump: " + path + ": No such file or directory\n");
  CHECK(dump(folder.path()).errors == "shm_dump: " + folder.path() + ": not a regular file\n");
  std::ofstream(path) << "GIF8";
  Dump d = dump(path);
  CHECK(d.code == 2);
  CHECK(d.errors.find(": 4 bytes that begin with \"GIF8\", expected \"BGCTRL\\x0d\\x0a\" or ") !=
        std::string::npos);
  const auto region = sample::make_control();
  std::memset(region->header.magic, 0, 8);
  write(path, *region);
  CHECK(dump(path).code == 2);
  d = dump(path, Kind::kControl);
  CHECK(d.code == 1);
  CHECK(d.says("application 0 \"app\""));
  CHECK(dump(path, Kind::kTelemetry).code == 1);
}

TEST_CASE("shm_dump survives anything written over or cut off a region") {
  sample::TemporaryFolder folder;
  const std::string path = folder.file("r");
  const auto control = sample::make_control();
  const auto telemetry = sample::make_telemetry(*control);
  std::mt19937 random(5);
  for (int i = 0; i < 24; ++i) {
    const bool first = i % 2 == 0;
    if (first) {
      write(path, *control);
    } else {
      write(path, *telemetry);
    }
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    for (int hit = 0; hit < 200; ++hit) {
      // Mostly where the sample has its data.
      const std::uint_fast32_t at = hit % 2 == 0 ? 64 + random() % 60000 : 64 + random() % 1400000;
      const std::string noise(1 + random() % 40, static_cast<char>(hit % 3 == 0 ? 0xFF : random()));
      file.seekp(static_cast<std::streamoff>(at));
      file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
    }
    file.close();
    if (i % 3 == 0) {
      REQUIRE(::truncate(path.c_str(), random() % 1400000) == 0);
    }
    for (const Kind kind : {Kind::kByMagic, Kind::kControl, Kind::kTelemetry}) {
      const Dump d = dump(path, kind);
      CHECK(d.code != 0);
      for (const char c : d.out) {
        REQUIRE((c == '\n' || (c >= 0x20 && c < 0x7F)));
      }
    }
  }
}
