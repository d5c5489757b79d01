// A deploy's journal out of any bytes: what a crash, a full disk or a foreign hand has left of it.
//
// Input: a byte that says how the rest is meant, then the rest: 0 as the whole file; 1 as the
// document of one record, in a right frame with a right checksum, behind two whole ones; 2 as
// damage of a whole journal: two bytes of position, the byte that stands there now.
//
// Promised: the valid part and what is cut are the whole file; the valid part alone says the same;
// whatever follows its last whole record changes nothing; every record is the same one when it is
// written and read again.
#include <array>
#include <cstdio>
#include <string>

#include "controller/host/journal.hpp"
#include "shm/checksum.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using fuzz::expect;

namespace {

const std::chrono::system_clock::time_point kAt{};

std::string whole() {
  return encode_record({RecordKind::kBegin, "", {{"idle", "green"}, {"image", "v2"}}}, 1, kAt) +
         encode_record({RecordKind::kIntent, "pull", {}}, 2, kAt);
}

std::string framed(const std::string& record) {
  std::array<char, 9> crc{};
  std::snprintf(crc.data(), crc.size(), "%08x", shm::crc32c(record.data(), record.size()));
  return std::string("{\"crc\":\"") + crc.data() + "\",\"record\":" + record + "}\n";
}

bool same(const JournalRecord& a, const JournalRecord& b) {
  return a.kind == b.kind && a.step == b.step && a.data == b.data;
}

void check(const std::string& text) {
  const JournalText journal = decode_journal(text);
  expect(journal.valid + journal.cut == text.size());
  expect(journal.valid == 0 || text[journal.valid - 1] == '\n');
  const std::string kept = text.substr(0, journal.valid);
  const JournalText again = decode_journal(kept);
  expect(again.cut == 0 && again.records.size() == journal.records.size());
  const JournalText torn = decode_journal(kept + "{\"crc\":\"00000000\",\"rec");
  expect(torn.valid == journal.valid && torn.records.size() == journal.records.size());
  std::string rewritten;
  std::uint64_t seq = 0;
  for (const JournalRecord& record : journal.records) {
    rewritten += encode_record(record, ++seq, kAt);
  }
  const JournalText second = decode_journal(rewritten);
  expect(second.cut == 0 && second.records.size() == journal.records.size());
  for (std::size_t i = 0; i < second.records.size(); ++i) {
    expect(same(second.records[i], journal.records[i]));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      check(rest);
      break;
    case 1:
      check(whole() + framed(rest));
      break;
    default: {
      std::string text = whole();
      fuzz::Input damage(data + 1, size - 1);
      while (!damage.empty()) {
        const auto at = damage.take<std::uint16_t>();
        text[at % text.size()] = static_cast<char>(damage.take<std::uint8_t>());
      }
      check(text);
    }
  }
  return 0;
}
