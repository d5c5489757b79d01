// The journal of one deploy: what it meant to do and what it has done, in the order of it.
//
// NDJSON, one record a line, appended and flushed (fsync) before the act that it announces:
//
//   {"crc":"1a2b3c4d","record":{"seq":1,"at":"2026-01-01T00:00:00.000Z","kind":"intent",
//                               "step":"pull","data":{...}}}
//
// The CRC-32C is over the bytes from the record's '{' to its '}'. A record counts when
//   1. its line ends with a newline and has the frame above,
//   2. the CRC is right,
//   3. `seq` is the number of its line, so nothing is missing,
//   4. its kind is known;
// and when all before it count. What follows the first one that does not is a torn write (or
// damage): it is reported, not read, and cut off when the journal is opened to append.
//
// Written by the one detached process of a deploy, or by a recovery, under the application's lock.
// Errors (kPreflight) name the file and the system's reason.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/ports/result.hpp"
#include "controller/ports/trace.hpp"
#include "shm/region_file.hpp"

namespace bluegreen {

std::string encode_record(const JournalRecord& record, std::uint64_t seq,
                          std::chrono::system_clock::time_point at);

struct JournalText {
  std::vector<JournalRecord> records;
  std::size_t valid = 0;  // bytes that count
  std::size_t cut = 0;    // bytes after them
};
JournalText decode_journal(std::string_view text);

class Journal {
 public:
  // Makes the file when it is not there, cuts what is torn.
  static Result<Journal> open(const std::string& path);
  // Without opening it to append; a journal that is not there has no records.
  static Result<JournalText> read(const std::string& path);

  Result<void> append(const JournalRecord& record);

 private:
  Journal() = default;

  std::string path_;
  shm::UniqueFd fd_;
  std::uint64_t records_ = 0;
  std::uint64_t size_ = 0;
  bool torn_ = false;  // an append failed half-way and could not be taken back
};

}  // namespace bluegreen
