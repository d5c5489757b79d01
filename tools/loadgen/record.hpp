// The record of a load: a CSV file with one line a request, no header line:
//
//   start_ns,end_ns,status,color,release,connection,error
//
// Times are CLOCK_MONOTONIC nanoseconds: `start` is when the client wanted the response (a connect
// that was needed for it included), `end` when its last byte was read or the try failed. `status`
// is 0 without a response; `color` and `release` are the backend's X-Color and X-Release; each
// connection has a number of its own; `error` is empty or one word.
// Lines are in the order of their ends.
//
// RecordWriter: the load's thread writes, at least every kFlushEvery when asked by `tick`, and all
// of it at the end. read_record: the judge. Errors are values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace bluegreen::loadgen {

struct Sample {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  int status = 0;
  std::string_view color;
  std::string_view release;
  std::uint64_t connection = 0;
  std::string_view error;
};

// One field of text as it may stand in the record: no separator, no control byte, bounded.
std::string as_field(std::string_view text);

class RecordWriter {
 public:
  RecordWriter() = default;
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;
  ~RecordWriter();

  // An empty path: nothing is written. Empty on success, else what failed.
  std::string open(const std::string& path);
  void write(const Sample& sample);
  void tick(std::uint64_t now_ns);
  // Empty when every line is in the file.
  std::string close();

 private:
  void flush();

  int fd_ = -1;
  std::string path_;
  std::string buffer_;
  std::string error_;
  std::uint64_t flushed_ns_ = 0;
};

// Calls `each` for every line, in order. Empty on success, else what is wrong, with the line.
std::string read_record(const std::string& path, const std::function<void(const Sample&)>& each);

}  // namespace bluegreen::loadgen
